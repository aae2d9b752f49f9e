/* A GET in C: its head, its body, and where its time went.
 *
 *   cargo build --release -p turbohttp-ffi
 *   gcc -Icrates/turbohttp-ffi/include crates/turbohttp-ffi/c/example.c -Ltarget/release -lturbohttp_ffi -o example
 *   LD_LIBRARY_PATH=target/release ./example http://127.0.0.1:8080/bytes/100000
 */
#include "turbohttp.h"

#include <stdio.h>
#include <string.h>

static int failed(const char *what, int32_t code) {
    uint8_t text[256];
    uint32_t length = th_last_error(text, sizeof text);
    int shown = length < sizeof text ? (int)length : (int)sizeof text;
    fprintf(stderr, "%s: %d: %.*s\n", what, code, shown, text);
    return 1;
}

static void show_head(const ThHead *head) {
    printf("HTTP/%u.%u %u\n", head->version / 10, head->version % 10, head->status);
    for (uint32_t i = 0; i < head->count; i++) {
        ThField field = head->fields[i];
        printf("%.*s: %.*s\n", (int)field.name_len, head->arena + field.name_off, (int)field.value_len,
               head->arena + field.value_off);
    }
}

int main(int argc, char **argv) {
    /* What is zero is the default. */
    ThClientConfig config = {.struct_size = sizeof config};
    ThRequest request = {.struct_size = sizeof request};
    ThClient client;
    ThRequestId id;
    int32_t code;

    if (argc != 2) return fprintf(stderr, "usage: example URL\n"), 2;
    request.url.ptr = (const uint8_t *)argv[1];
    request.url.len = (uint32_t)strlen(argv[1]);

    if ((code = th_client_create(&config, 0, &client)) != TH_OK) return failed("no client", code);
    if ((code = th_submit(client, &request, 0, &id)) != TH_OK) return failed("no request", code);

    /* Each event is polled: HEADERS, READABLE as content arrives, and DONE at last. */
    uint64_t bytes = 0;
    ThEvent event = {0};
    while (event.kind != TH_EVENT_DONE) {
        int32_t count = th_poll(client, &event, 1, 100);
        if (count < 0) return failed("no events", count);
        if (count == 0) continue;
        if (event.kind == TH_EVENT_HEADERS) {
            ThHead head;
            if (th_head(client, id, &head) == TH_OK) show_head(&head);
        }
        /* Read until there is nothing more for now; the next READABLE says when there is. */
        uint8_t piece[4096];
        uint32_t got;
        while (th_body_read(client, id, piece, sizeof piece, 0, &got) == TH_OK) bytes += got;
    }

    if (event.code != TH_OK) {
        uint8_t text[256];
        uint32_t length = th_request_error(client, id, text, sizeof text);
        fprintf(stderr, "%d: %.*s\n", event.code, (int)(length < sizeof text ? length : sizeof text), text);
    }
    ThTimeline timeline = {.struct_size = sizeof timeline};
    if (th_timeline(client, id, &timeline) == TH_OK)
        printf("\n%llu bytes; connect %.3f ms, first byte %.3f ms, rest %.3f ms, in all %.3f ms\n",
               (unsigned long long)bytes, timeline.connect_ns / 1e6, timeline.wait_ns / 1e6,
               timeline.receive_ns / 1e6, timeline.total_ns / 1e6);
    th_release(client, id);
    th_client_destroy(client, 1000);
    return event.code != TH_OK;
}
