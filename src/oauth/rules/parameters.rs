//! What an authorization request carries besides what is ours, and the values of `prompt` (PROTOCOL.md A.5).

use super::Rules;
use crate::error::Result;
use crate::oauth::profile::Defaults;

type Pairs = Vec<(String, String)>;

impl Rules<'_> {
    /// The parameters to add, and the values of `prompt` among them.
    pub(super) fn authorize_parameters(
        &self,
        defaults: &Defaults,
        scopes: &[String],
    ) -> Result<(Pairs, Vec<String>)> {
        let mut all: Pairs = defaults
            .authorize_parameters
            .iter()
            .filter(|(name, _)| !self.config.authorize_parameters.iter().any(|(own, _)| own == name))
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for (name, value) in &self.config.authorize_parameters {
            if !value.is_empty() {
                all.push((name.clone(), value.clone()));
            }
        }
        let named = all.iter().any(|(name, _)| name == "prompt");
        let mut prompts: Vec<String> = Vec::new();
        all.retain(|(name, value)| {
            if name == "prompt" {
                prompts.extend(value.split_ascii_whitespace().map(str::to_owned));
            }
            name != "prompt"
        });
        if prompts.iter().any(|prompt| prompt == "select_account") {
            return self.broken(
                "authorize_parameters.prompt",
                "select_account cannot be combined with login_hint, which is always sent; a host asks for it \
                 with MULTIPOP_AUTHORIZE_CHOOSE_ACCOUNT",
            );
        }
        if prompts.iter().any(|prompt| prompt == "none") {
            return self.broken("authorize_parameters.prompt", "none would show the person nothing");
        }
        if self.config.profile.is_microsoft() && prompts.len() > 1 {
            return self.broken("authorize_parameters.prompt", "must be one value at Microsoft");
        }
        // OpenID Connect Core §11: offline_access is ignored without the consent page.
        let asks_offline = scopes.iter().any(|scope| scope == "offline_access");
        if !named && asks_offline && !self.config.profile.is_microsoft() {
            prompts.push("consent".to_owned());
        }
        Ok((all, prompts))
    }
}
