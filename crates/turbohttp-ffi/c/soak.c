/* 10,000 requests, 50 at a time, after as many to begin with: ./soak URL. Neither memory nor threads grow. */
#include "turbohttp.h"

#include <stdio.h>
#include <string.h>

enum { REQUESTS = 10000, AT_ONCE = 50, GROWTH_MAX_KIB = 2048 };

/* A number of /proc/self/status: memory in KiB, or threads. */
static long status(const char *name) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) sscanf(line + strlen(name) + 1, "%ld", &value);
    if (file) fclose(file);
    return value;
}

static int submit(ThClient client, const char *url) {
    ThRequest request = {.struct_size = sizeof request, .url = {(const uint8_t *)url, (uint32_t)strlen(url), 0}};
    ThRequestId id;
    return th_submit(client, &request, 0, &id) == TH_OK;
}

/* Whether each of so many requests is answered with its 13 bytes. */
static int storm(ThClient client, const char *url) {
    int submitted = 0, over = 0;
    while (over < REQUESTS) {
        while (submitted < REQUESTS && submitted - over < AT_ONCE) {
            if (!submit(client, url)) return 0;
            submitted++;
        }
        ThEvent events[AT_ONCE];
        int32_t count = th_poll(client, events, AT_ONCE, 100);
        if (count < 0) return 0;
        for (int32_t i = 0; i < count; i++) {
            if (events[i].kind != TH_EVENT_DONE) continue;
            if (events[i].code != TH_OK || events[i].value != 13) return 0;
            if (th_release(client, events[i].request) != TH_OK) return 0;
            over++;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    ThClientConfig config = {.struct_size = sizeof config, .per_host = AT_ONCE};
    ThStats stats = {.struct_size = sizeof stats};
    ThClient client;
    char url[256];
    if (argc != 2) return fprintf(stderr, "usage: soak URL\n"), 2;
    snprintf(url, sizeof url, "%s/small", argv[1]);
    if (th_client_create(&config, 0, &client) != TH_OK || !storm(client, url)) return 1;
    long memory = status("VmRSS:"), threads = status("Threads:");
    if (!storm(client, url) || th_client_stats(client, &stats) != TH_OK || stats.requests != 0) return 1;
    long growth = status("VmRSS:") - memory, more = status("Threads:") - threads;
    int32_t alive = th_client_destroy(client, 1000);
    long left = status("Threads:");
    printf("c-soak: %ld KiB and %ld threads more after %d requests; %ld thread left\n", growth, more, REQUESTS, left);
    return memory < 0 || growth > GROWTH_MAX_KIB || more != 0 || alive != 0 || left != 1;
}
