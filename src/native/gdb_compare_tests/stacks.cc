// Threads in every kind of place that is hard to unwind, for the comparison of pydbg with gdb.
// Usage: stacks COUNT — starts COUNT threads of each kind that runs and one of each kind that
// waits, lets them spread for a moment, and then calls a null pointer.
#include <algorithm>
#include <alloca.h>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

static std::atomic<int> waiting{0};
static volatile unsigned long sink;

// Blocks for ever. noreturn: the return address of a call at the very end of a function lies in
// the next function.
[[noreturn]] __attribute__((noinline)) static void block() {
    waiting++;
    for (;;)
        pause();
}

// ---- kinds that wait

static void *wait_plain(void *) { block(); }

__attribute__((noinline)) static unsigned long recurse(unsigned depth) {
    if (depth == 0)
        block();
    return recurse(depth - 1) + sink;
}
static void *wait_deep(void *) { return (void *)recurse(2000); }

static void on_signal(int) { block(); }
static void *wait_in_handler(void *) {
    raise(SIGUSR1);
    return nullptr;
}
static void *wait_in_handler_on_other_stack(void *) {
    stack_t stack = {};
    stack.ss_size = 1 << 16;
    stack.ss_sp = malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
    raise(SIGUSR2);
    return nullptr;
}

// Aligned locals and a variable length: the CFA hangs on an expression over rbp.
__attribute__((noinline)) static unsigned long realigned(unsigned size) {
    alignas(64) char aligned[256];
    char *variable = (char *)alloca(size);
    memset(aligned, 1, sizeof aligned);
    memset(variable, 2, size);
    sink += (unsigned long)aligned[size % 256] + (unsigned long)variable[0];
    block();
    return (unsigned long)aligned[3];
}
static void *wait_realigned(void *argument) {
    return (void *)realigned(100 + (unsigned)(unsigned long)argument);
}

struct WaitsWhenDestroyed {
    // Were it sure to block, the handler below would be left out as unreachable.
    ~WaitsWhenDestroyed() {
        if (sink != 12345)
            block();
    }
};
__attribute__((noinline)) static void throws(int value) {
    if (value > 0)
        throw std::runtime_error("thrown");
}
static void *wait_in_unwinding(void *) {
    try {
        WaitsWhenDestroyed waits;
        throws(1);
    } catch (const std::exception &) {
        sink++;
    }
    return nullptr;
}
static void *wait_in_catch(void *) {
    try {
        throws(1);
    } catch (const std::exception &) {
        block();
    }
    return nullptr;
}

// The unlikely half is moved to another section, with its own frame description.
__attribute__((noinline)) static unsigned long cold_half(unsigned long value) {
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%lu", value);
    if (__builtin_expect(value > 10, 0)) {
        sink += strlen(buffer);
        block();
    }
    return strlen(buffer);
}
static void *wait_in_cold_half(void *) { return (void *)cold_half(11 + sink % 2); }

static void *wait_in_comparison(void *) {
    std::vector<int> numbers = {3, 1, 2};
    std::sort(numbers.begin(), numbers.end(), [](int one, int other) {
        if (one == 1)
            block();
        return one < other;
    });
    return nullptr;
}
static void *wait_in_function_object(void *) {
    std::function<void(std::unique_ptr<std::string>)> function =
        [](std::unique_ptr<std::string> text) {
            if (!text->empty())
                block();
        };
    function(std::make_unique<std::string>("text"));
    return nullptr;
}

// Hand-written code without call frame information, but with a frame pointer.
extern "C" void call_without_cfi(void (*)());
asm(".text\n"
    ".type call_without_cfi, @function\n"
    "call_without_cfi:\n"
    "push %rbp\n"
    "mov %rsp, %rbp\n"
    "sub $32, %rsp\n"
    "call *%rdi\n"
    "leave\n"
    "ret\n"
    ".size call_without_cfi, .-call_without_cfi\n");
static void *wait_under_assembly(void *) {
    call_without_cfi([] { block(); });
    return nullptr;
}

// ---- kinds that run: a snapshot catches them anywhere

static void *run_plt(void *) {
    unsigned seed = 1;
    for (;;)
        sink += (unsigned long)rand_r(&seed) + (unsigned long)labs((long)seed) + (unsigned long)ffsl((long)seed);
}
static void *run_vdso(void *) {
    timespec now;
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        sink += (unsigned long)now.tv_nsec;
    }
}
static void *run_map(void *) {
    std::map<std::string, std::vector<int>> map;
    for (unsigned long turn = 0;; turn++) {
        map[std::to_string(turn % 100)].push_back((int)turn);
        if (turn % 1000 == 0)
            map.clear();
    }
}
static void *run_math(void *) {
    double value = 1;
    for (;;) {
        value = std::sin(value) + std::exp(std::cos(value));
        sink += (unsigned long)value;
    }
}
static void *run_sort(void *) {
    std::vector<std::string> words;
    for (int i = 0; i < 200; i++)
        words.push_back(std::to_string(i * 7919 % 200));
    for (;;) {
        std::sort(words.begin(), words.end(), std::greater<std::string>());
        std::sort(words.begin(), words.end());
    }
}
static void *run_calls(void *) {
    for (;;) {
        char buffer[64];
        sink += (unsigned long)snprintf(buffer, sizeof buffer, "%g %s", 1.5, "text");
        sink += strtoul("123", nullptr, 10);
        free(malloc(sink % 5000));
    }
}

static void start(void *(*function)(void *), unsigned long argument) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    if (pthread_create(&thread, &attributes, function, (void *)argument) != 0)
        abort();
}

int main(int, char **arguments) {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, nullptr);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, nullptr);
    void *(*waits[])(void *) = {
        wait_plain,         wait_deep,         wait_in_handler,    wait_in_handler_on_other_stack,
        wait_realigned,     wait_in_unwinding, wait_in_catch,      wait_in_cold_half,
        wait_in_comparison, wait_in_function_object, wait_under_assembly,
    };
    void *(*runs[])(void *) = {run_plt, run_vdso, run_map, run_math, run_sort, run_calls};
    int expected = 0;
    for (auto function : waits) {
        start(function, (unsigned long)expected);
        expected++;
    }
    while (waiting < expected)
        usleep(1000);
    for (int count = atoi(arguments[1]); count > 0; count--)
        for (auto function : runs)
            start(function, 0);
    usleep(300000);
    void (*volatile nowhere)() = nullptr;
    nowhere();
}
