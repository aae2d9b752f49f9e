/* Tests of the C ABI in C: ./test URL, the URL being that of `turbohttp serve`. */
#define _POSIX_C_SOURCE 200809L
#include "turbohttp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLLS_MAX = 300 };

static const char *origin, *test_name;

#define CHECK(condition) \
    do { \
        if (!(condition)) fail(__LINE__, #condition); \
    } while (0)

static void fail(int line, const char *condition) {
    uint8_t text[512] = {0};
    th_last_error(text, sizeof text - 1);
    fprintf(stderr, "FAILED %s: line %d: %s (last error: %s)\n", test_name, line, condition, text);
    exit(1);
}

static ThText text(const char *text) {
    return (ThText){(const uint8_t *)text, (uint32_t)strlen(text), 0};
}

static ThClientConfig config(void) {
    return (ThClientConfig){.struct_size = sizeof(ThClientConfig)};
}

static ThClient create(void) {
    ThClientConfig defaults = config();
    ThClient client = 0;
    CHECK(th_client_create(&defaults, 1, &client) == TH_OK && client != 0);
    return client;
}

/* A request of a path, whose URL lives until the next one is made. */
static ThRequest request(const char *path) {
    static char url[512];
    snprintf(url, sizeof url, "%s%s", origin, path);
    return (ThRequest){.struct_size = sizeof(ThRequest), .url = text(url)};
}

static ThRequestId submit(ThClient client, const ThRequest *request) {
    ThRequestId id = 0;
    CHECK(th_submit(client, request, 7, &id) == TH_OK && id != 0);
    return id;
}

static ThRequestId get(ThClient client, const char *path) {
    ThRequest asked = request(path);
    return submit(client, &asked);
}

/* Polls one event after the other until this one. */
static ThEvent wait_for(ThClient client, ThRequestId id, uint32_t kind) {
    for (int i = 0; i < POLLS_MAX; i++) {
        ThEvent event;
        int32_t count = th_poll(client, &event, 1, 100);
        CHECK(count >= 0);
        if (count == 1 && event.request == id && event.kind == kind) return event;
    }
    fail(__LINE__, "no such event");
    return (ThEvent){0};
}

static ThEvent done(ThClient client, ThRequestId id) {
    return wait_for(client, id, TH_EVENT_DONE);
}

static ThStats stats(ThClient client) {
    ThStats stats = {.struct_size = sizeof stats};
    CHECK(th_client_stats(client, &stats) == TH_OK);
    return stats;
}

/* Reads all content, waiting for it, and checks it against what the server gives: byte i is i mod 251. */
static uint64_t read_all(ThClient client, ThRequestId id, int is_pattern) {
    uint8_t piece[1000];
    uint64_t sum = 0;
    uint32_t got;
    int32_t code;
    while ((code = th_body_read(client, id, piece, sizeof piece, 100, &got)) == TH_OK || code == TH_WOULD_BLOCK) {
        for (uint32_t i = 0; is_pattern && i < got; i++) CHECK(piece[i] == (sum + i) % 251);
        sum += got;
    }
    CHECK(code == TH_EOF);
    return sum;
}

static void layout(void) {
    static const size_t sizes[] = {0, sizeof(ThText), sizeof(ThField), sizeof(ThFields), sizeof(ThClientConfig),
        sizeof(ThRequest), sizeof(ThEvent), sizeof(ThHead), sizeof(ThTimeline), sizeof(ThTimelineEvent),
        sizeof(ThStats), sizeof(ThCloseReport), sizeof(ThProgress), 0};
    CHECK(th_abi_version() == TH_ABI_VERSION);
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) CHECK(th_struct_size(i) == sizes[i]);
}

static void limits(void) {
    ThClientConfig one = config();
    one.per_host = 1;
    one.requests_max = 3;
    ThClient client;
    CHECK(th_client_create(&one, 1, &client) == TH_OK);
    ThRequestId ids[3];
    for (int i = 0; i < 3; i++) ids[i] = get(client, "/never");
    ThRequest more = request("/small");
    ThRequestId id = 0;
    CHECK(th_submit(client, &more, 0, &id) == TH_QUEUE_FULL && id == 0);
    for (int i = 0; i < POLLS_MAX && stats(client).running == 0; i++) th_poll(client, NULL, 0, 10);
    CHECK(stats(client).running == 1 && stats(client).waiting == 2);
    CHECK(th_set_priority(client, ids[2], TH_PRIORITY_HIGH) == TH_OK);
    CHECK(th_set_priority(client, ids[2], 5) == TH_ARG);
    CHECK(th_release(client, ids[0]) == TH_OK);
    CHECK(th_submit(client, &more, 0, &id) == TH_OK);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void cancel(void) {
    ThClient client = create();
    ThRequestId id = get(client, "/never");
    CHECK(th_cancel(client, id) == TH_OK && th_cancel(client, id) == TH_OK);
    ThEvent event = done(client, id);
    CHECK(event.code == TH_CANCELLED && event.user == 7);
    uint8_t why[64];
    CHECK(th_request_error(client, id, why, sizeof why) > 0);
    CHECK(th_cancel(client, id) == TH_OK && th_poll(client, &event, 1, 0) == 0);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void drain(void) {
    ThClient client = create();
    ThRequestId id = get(client, "/delay/50");
    CHECK(th_client_shutdown(client, TH_SHUTDOWN_DRAIN, 10000) == TH_OK);
    ThRequest late = request("/small");
    ThRequestId refused = 0;
    CHECK(th_submit(client, &late, 0, &refused) == TH_SHUTDOWN);
    CHECK(done(client, id).code == TH_OK && read_all(client, id, 0) == 13);
    ThCloseReport report = {.struct_size = sizeof report};
    int32_t code = TH_WOULD_BLOCK;
    for (int i = 0; i < POLLS_MAX && (code = th_close_report(client, &report)) == TH_WOULD_BLOCK; i++)
        th_poll(client, NULL, 0, 10);
    CHECK(code == TH_OK && report.accepted == 1 && report.completed == 1 && report.aborted == 0);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void use_after_close(void) {
    ThClient client = create();
    ThRequestId id = get(client, "/never");
    CHECK(th_client_destroy(client, 1000) == 0 && th_client_destroy(client, 0) == 0);
    ThRequest asked = request("/small");
    ThHead head;
    ThEvent event;
    uint8_t byte;
    uint32_t got = 0;
    CHECK(th_submit(client, &asked, 0, &id) == TH_STALE);
    CHECK(th_poll(client, &event, 1, 0) == TH_STALE && th_wake(client) == TH_STALE);
    CHECK(th_cancel(client, id) == TH_STALE && th_release(client, id) == TH_STALE);
    CHECK(th_head(client, id, &head) == TH_STALE && th_body_consume(client, id, 0) == TH_STALE);
    CHECK(th_body_read(client, id, &byte, 1, 0, &got) == TH_STALE);
    CHECK(th_client_shutdown(client, TH_SHUTDOWN_NOW, 0) == TH_STALE);
    CHECK(th_request_error(client, id, &byte, 1) == 0);
}

static void stale_handles(void) {
    ThClient client = create(), other = create();
    ThRequestId id = get(client, "/small");
    CHECK(th_cancel(other, id) == TH_STALE && th_cancel(client, 0) == TH_STALE);
    CHECK(th_cancel(client, UINT64_MAX) == TH_STALE && th_cancel(UINT32_MAX, id) == TH_STALE);
    for (int bit = 0; bit < 64; bit++) CHECK(th_cancel(client, id ^ UINT64_C(1) << bit) == TH_STALE);
    for (int bit = 8; bit < 32; bit++) CHECK(th_wake(client ^ UINT32_C(1) << bit) == TH_STALE);
    CHECK(done(client, id).code == TH_OK && th_release(client, id) == TH_OK);
    CHECK(th_release(client, id) == TH_STALE && th_cancel(client, id) == TH_STALE);
    CHECK(get(client, "/small") != id);
    CHECK(th_client_destroy(client, 1000) == 0 && th_client_destroy(other, 1000) == 0);
}

static void values_out_of_range(void) {
    ThClient client = create(), none = 0;
    for (uint32_t value = 9; value != 0; value = value == 9 ? UINT32_MAX : 0) {
        ThRequestId id = 0;
        ThRequest asked = request("/small");
        uint32_t *const members[] = {&asked.priority, &asked.body_kind, &asked.sink_kind, &asked.flags, &asked.struct_size};
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            uint32_t before = *members[i];
            *members[i] = value;
            CHECK(th_submit(client, &asked, 0, &id) == TH_ARG && id == 0);
            *members[i] = before;
        }
        CHECK(th_client_shutdown(client, value, 0) == TH_ARG);
        ThClientConfig wrong = config();
        wrong.auth_kind = value;
        CHECK(th_client_create(&wrong, 1, &none) == TH_ARG);
        wrong = config();
        wrong.flags = UINT32_C(1) << 31;
        CHECK(th_client_create(&wrong, 1, &none) == TH_ARG && none == 0);
        CHECK(th_struct_size(value + 9) == 0 || value + 9 < 13);
    }
    CHECK(stats(client).requests == 0 && th_client_destroy(client, 1000) == 0);
}

static void null_pointers(void) {
    ThClient client = create();
    ThRequestId id = get(client, "/small");
    ThClientConfig defaults = config();
    ThRequest asked = request("/small");
    uint32_t got;
    done(client, id);
    CHECK(th_client_create(NULL, 0, NULL) == TH_ARG && th_client_create(&defaults, 0, NULL) == TH_ARG);
    CHECK(th_submit(client, NULL, 0, &id) == TH_ARG && th_submit(client, &asked, 0, NULL) == TH_ARG);
    CHECK(th_client_stats(client, NULL) == TH_ARG && th_close_report(client, NULL) == TH_ARG);
    CHECK(th_host_limit(client, NULL, 3, 1) == TH_ARG && th_host_pause(client, NULL, 3, 1) == TH_ARG);
    CHECK(th_poll(client, NULL, 3, 0) == TH_ARG && th_poll(client, NULL, 0, 0) == 0);
    CHECK(th_head(client, id, NULL) == TH_ARG && th_trailers(client, id, NULL) == TH_ARG);
    CHECK(th_body_read(client, id, NULL, 3, 0, &got) == TH_ARG && th_body_peek(client, id, NULL, &got) == TH_ARG);
    CHECK(th_body_write(client, id, NULL, 3, 0, &got) == TH_ARG && th_body_finish(client, id, NULL) == TH_STATE);
    CHECK(th_timeline(client, id, NULL) == TH_ARG && th_timeline_events(client, id, NULL, 3) == TH_ARG);
    CHECK(th_last_error(NULL, 0) > 0 && th_request_error(client, id, NULL, 0) == 0);
    CHECK(th_client_destroy(client, 1000) == 0);
}

/* Content and its view, a piece at a time: no byte is lost or read twice. */
static void peek(void) {
    ThClient client = create();
    ThRequestId id = get(client, "/bytes/300000");
    uint64_t sum = 0;
    const uint8_t *view;
    uint32_t length;
    int32_t code;
    while ((code = th_body_peek(client, id, &view, &length)) != TH_EOF) {
        CHECK(code == TH_OK || code == TH_WOULD_BLOCK);
        if (code == TH_WOULD_BLOCK) th_poll(client, NULL, 0, 10);
        uint32_t part = length > 5000 ? 5000 : length;
        for (uint32_t i = 0; i < part; i++) CHECK(view[i] == (sum + i) % 251);
        CHECK(code != TH_OK || th_body_consume(client, id, part) == TH_OK);
        sum += part;
    }
    CHECK(sum == 300000 && th_body_consume(client, id, 1) == TH_ARG);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void upload_by_pieces(void) {
    ThClient client = create();
    ThRequest asked = request("/echo");
    asked.method = text("POST");
    asked.body_kind = TH_BODY_STREAM;
    asked.body_length = 600000;
    ThRequestId id = submit(client, &asked);
    uint8_t piece[3 * 251];
    for (size_t i = 0; i < sizeof piece; i++) piece[i] = i % 251;
    for (uint32_t sent = 0; sent < 600000;) {
        uint32_t rest = 600000 - sent, from = sent % 251, took = 0;
        uint32_t length = rest < 500 ? rest : 500;
        int32_t code = th_body_write(client, id, piece + from, length, 100, &took);
        CHECK((code == TH_OK && took == length) || (code == TH_WOULD_BLOCK && took < length));
        sent += took;
    }
    CHECK(th_body_finish(client, id, NULL) == TH_OK && th_body_finish(client, id, NULL) == TH_STATE);
    CHECK(read_all(client, id, 1) == 600000 && done(client, id).code == TH_OK);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void download_to_a_file(void) {
    char folder[] = "/tmp/turbohttp-c-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/content", folder);
    ThClient client = create();
    ThRequest asked = request("/bytes/200000");
    asked.sink_kind = TH_SINK_FILE;
    asked.sink_path = text(path);
    ThEvent event = done(client, submit(client, &asked));
    CHECK(event.code == TH_OK && event.value == 200000);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    int byte;
    long length = 0;
    for (; (byte = fgetc(file)) != EOF; length++) CHECK(byte == length % 251);
    CHECK(length == 200000 && fclose(file) == 0);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    CHECK(th_client_destroy(client, 1000) == 0);
}

static void *poll_until_stale(void *client) {
    ThEvent event;
    int32_t count;
    while ((count = th_poll(*(ThClient *)client, &event, 1, 100)) >= 0) {
    }
    return (void *)(intptr_t)count;
}

/* One thread polls while another one destroys the client. */
static void destroy_beside_a_poll(void) {
    for (int round = 0; round < 20; round++) {
        ThClient client = create();
        pthread_t poller;
        CHECK(pthread_create(&poller, NULL, poll_until_stale, &client) == 0);
        for (int i = 0; i < 10; i++) get(client, i % 2 ? "/bytes/50000" : "/never");
        CHECK(th_client_destroy(client, 5000) == 0);
        void *code;
        CHECK(pthread_join(poller, &code) == 0 && (intptr_t)code == TH_STALE);
    }
}

static void nothing_is_left(void) {
    CHECK(th_client_count() == 0 && th_epoch_begin(1) == 0);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"layout", layout},
        {"limits", limits},
        {"cancel", cancel},
        {"drain", drain},
        {"use after close", use_after_close},
        {"stale handles", stale_handles},
        {"values out of range", values_out_of_range},
        {"null pointers", null_pointers},
        {"peek", peek},
        {"upload by pieces", upload_by_pieces},
        {"download to a file", download_to_a_file},
        {"destroy beside a poll", destroy_beside_a_poll},
        {"nothing is left", nothing_is_left},
    };
    if (argc != 2) return fprintf(stderr, "usage: test URL\n"), 2;
    origin = argv[1];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        test_name = tests[i].name;
        tests[i].run();
    }
    printf("c-tests: %zu passed\n", sizeof tests / sizeof *tests);
    return 0;
}
