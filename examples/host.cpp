// A host that serves people while it fetches: two instances on one store, each in a thread of its own.
//
//     c++ -std=c++17 -pthread -I include examples/host.cpp -o host -ldl
//     ./host /abs/config.json DIR [libmultipop.so.1]               (DIR/tmp and DIR/new must exist)
//
// Where a real host has web pages, this one reads lines:
//
//     accounts OWNER                  what the owner's page shows
//     authorise OWNER ACCOUNT         the button; answers the address for the browser
//     callback URI                    the browser is back
//     quit
#include "multipop.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <mutex>
#include <random>
#include <sstream>
#include <system_error>
#include <thread>
#include <unistd.h>

// A descriptor that closes itself.
class file {
  public:
    file(const std::string &path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
        if (fd_ < 0)
            throw std::system_error(errno, std::generic_category(), path);
    }
    ~file() { ::close(fd_); }
    file(const file &) = delete;
    file &operator=(const file &) = delete;

    void write(const char *bytes, std::size_t size) {
        while (size > 0) {
            const ssize_t n = ::write(fd_, bytes, size);
            if (n < 0 && errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "write");
            if (n > 0)
                bytes += n, size -= static_cast<std::size_t>(n);
        }
    }
    void sync() {
        if (::fsync(fd_) < 0)
            throw std::system_error(errno, std::generic_category(), "fsync");
    }

  private:
    int fd_;
};

// One file per message in DIR/new. Durable at its end, so there is nothing to flush; minimal.c shows a batch. What
// a callback throws here ends the call tidily and comes out of fetch_once: the loop below decides what then.
class folder {
  public:
    explicit folder(std::string dir) : dir_(std::move(dir)) {}

    multipop::sink sink() {
        multipop::sink s;
        s.begin = [this](const multipop::message &m, void *&cookie, multipop::reason) {
            auto mail = std::make_unique<open_mail>(dir_, m.dedupe_key);
            mail->out.write(m.received, std::strlen(m.received));
            cookie = mail.release();
            return MULTIPOP_GO;
        };
        s.data = [](void *cookie, const std::uint8_t *bytes, std::size_t size, multipop::reason why) {
            try {
                static_cast<open_mail *>(cookie)->out.write(reinterpret_cast<const char *>(bytes), size);
            } catch (const std::system_error &e) {
                why = e.what();
                return e.code().value() == ENOSPC ? MULTIPOP_DEFER_FULL : MULTIPOP_DEFER;
            }
            return MULTIPOP_GO;
        };
        s.end = [this](void *cookie, multipop::reason) {
            const std::unique_ptr<open_mail> mail(static_cast<open_mail *>(cookie));
            mail->out.sync();
            if (std::rename(mail->path.c_str(), (dir_ + "/new/" + mail->key).c_str()) != 0)
                throw std::system_error(errno, std::generic_category(), "rename");
            file(dir_ + "/new", O_RDONLY | O_DIRECTORY).sync();
            return MULTIPOP_TAKEN;
        };
        s.abort = [](void *cookie) {
            const std::unique_ptr<open_mail> mail(static_cast<open_mail *>(cookie));
            ::unlink(mail->path.c_str());
        };
        return s;
    }

  private:
    struct open_mail {
        open_mail(const std::string &dir, const char *name)
            : key(name), path(dir + "/tmp/" + key), out(path, O_WRONLY | O_CREAT | O_TRUNC) {}
        std::string key, path;
        file out;
    };
    std::string dir_;
};

// Fetches what is due until it is told to stop.
class fetching {
  public:
    fetching(const multipop::library &lib, const std::string &json, const std::string &dir)
        : mp_(lib, {"host-fetch", 0, print_line}), to_(dir) {
        mp_.configure(json);
        thread_ = std::thread([this] { loop(); });
    }
    ~fetching() {
        {
            const std::lock_guard<std::mutex> held(mutex_);
            stop_ = true;
        }
        mp_.cancel();
        wake_.notify_all();
        thread_.join();
    }

    // Somebody has just connected an account: do not wait for the next pass.
    void now() {
        const std::lock_guard<std::mutex> held(mutex_);
        due_ = true;
        wake_.notify_all();
    }

    static void print_line(std::uint32_t, const char *line) { std::cerr << line << std::endl; }

  private:
    void loop() {
        const multipop::sink sink = to_.sink();
        std::unique_lock<std::mutex> held(mutex_);
        while (!stop_) {
            due_ = false;
            held.unlock();
            std::uint32_t rest_s = 60;
            try {
                const auto done = mp_.try_fetch_once({MULTIPOP_OPERATOR}, sink);
                if (done.ok())
                    rest_s = done.value->more ? 0 : std::min(done.value->next_due_s, rest_s);
                else
                    std::cerr << done.why.message << ": " << done.why.advice << std::endl;
            } catch (const std::exception &e) { // from our own sink
                std::cerr << e.what() << std::endl;
            }
            held.lock();
            wake_.wait_for(held, std::chrono::seconds(rest_s), [this] { return stop_ || due_; });
        }
    }

    multipop::instance mp_;
    folder to_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stop_ = false, due_ = false;
    std::thread thread_;
};

// What a cookie `__Host-consent` would hold.
static std::string fresh_session() {
    std::random_device random;
    std::ostringstream text;
    for (int i = 0; i < 8; i++)
        text << std::hex << (0x10000000u | (random() & 0xfffffffu));
    return text.str();
}

int main(int argc, char **argv) {
    if (argc < 3) {
        std::cerr << "usage: " << argv[0] << " CONFIG DIR [LIBRARY]\n";
        return 2;
    }
    try {
        const std::string json = std::string("{\"file\": \"") + argv[1] + "\"}";
        const multipop::library lib(argc > 3 ? argv[3] : nullptr);
        multipop::instance web(lib, {"host-web", 0, fetching::print_line});
        web.configure(json);
        fetching mail(lib, json, argv[2]);

        std::string line, session;
        while (std::getline(std::cin, line)) {
            std::istringstream words(line);
            std::string verb, owner, account;
            words >> verb >> owner >> account;
            if (verb == "quit")
                break;
            try {
                if (verb == "accounts") {
                    std::cout << web.accounts({owner}) << std::endl;
                } else if (verb == "authorise") {
                    session = fresh_session();
                    std::cout << web.authorize_url(owner, account, session) << std::endl;
                } else if (verb == "callback") {
                    std::cout << web.handle_callback(owner, session) << std::endl;
                    mail.now();
                }
            } catch (const multipop::error &e) {
                std::cout << e.what() << "\n" << e.detail().advice << std::endl;
            }
        }
        return 0;
    } catch (const std::exception &e) {
        std::cerr << e.what() << std::endl;
        return 1;
    }
}
