/* A crash below a callback, for builds without .eh_frame or without shared libraries. */
#include <stdlib.h>

static volatile int depth;

__attribute__((noinline)) static int descend(int left, const int *numbers) {
    volatile int kept[8] = {left, numbers[0]};
    if (left == 0)
        abort();
    return descend(left - 1, numbers) + kept[depth % 8];
}

static int compare(const void *one, const void *other) {
    return descend(5 + depth, one) - *(const int *)other;
}

int main(void) {
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, compare);
    return numbers[0];
}
