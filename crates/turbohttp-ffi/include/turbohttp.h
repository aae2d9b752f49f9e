/* TurboHTTP for C. Written by `cargo xtask codegen` from crates/turbohttp-ffi/src. */

#ifndef TURBOHTTP_H
#define TURBOHTTP_H

#include <stdint.h>

/**
 * The version of the ABI: the major number in the upper 16 bits. Another major number is another ABI.
 */
#define TH_ABI_VERSION (1 << 16)

/**
 * The call succeeded.
 */
#define TH_OK 0

/**
 * Nothing can be read or written now; an event says when.
 */
#define TH_WOULD_BLOCK 1

/**
 * The body has ended, and all of it was read.
 */
#define TH_EOF 2

/**
 * The client or the request is none that exists: it was released, or never made.
 */
#define TH_STALE -1

/**
 * An argument is null, out of its bounds, or no text of UTF-8.
 */
#define TH_ARG -2

/**
 * The call is not possible in the state of the request.
 */
#define TH_STATE -3

/**
 * As many requests exist, or wait, as may.
 */
#define TH_QUEUE_FULL -4

/**
 * The client was shut down.
 */
#define TH_SHUTDOWN -5

/**
 * The request was canceled.
 */
#define TH_CANCELLED -6

/**
 * A time limit passed.
 */
#define TH_TIMEOUT -7

/**
 * The name of the host has no address.
 */
#define TH_DNS -8

/**
 * No connection could be made.
 */
#define TH_CONNECT -9

/**
 * The TLS handshake or its checks failed.
 */
#define TH_TLS -10

/**
 * A proxy did not open the way.
 */
#define TH_PROXY -11

/**
 * The response breaks HTTP.
 */
#define TH_PROTOCOL -12

/**
 * The connection failed or ended too early.
 */
#define TH_IO -13

/**
 * The response is larger than its limit.
 */
#define TH_TOO_LARGE -14

/**
 * A redirect cannot be followed.
 */
#define TH_REDIRECT -15

/**
 * The body of the request failed, or had another length than announced.
 */
#define TH_REQUEST_BODY -16

/**
 * The content coding of the body is broken.
 */
#define TH_DECODE -17

/**
 * The file that the body goes to cannot be written.
 */
#define TH_OUTPUT -18

/**
 * The downloaded file does not hash to what was asked for.
 */
#define TH_CHECKSUM -19

/**
 * The file changes on its server while it is downloaded.
 */
#define TH_CHANGED -20

/**
 * The status is an error where a download needs a success.
 */
#define TH_STATUS -21

/**
 * The engine cannot work: no thread, no descriptor.
 */
#define TH_RUNTIME -22

/**
 * The engine panicked: a fault of this library. The client refuses everything but its end.
 */
#define TH_PANIC -23

/**
 * Another thread polls, or reads this body.
 */
#define TH_BUSY -24

/**
 * The head of the response has arrived: `status`, and in `value` the content length or `TH_UNKNOWN`.
 */
#define TH_EVENT_HEADERS 1

/**
 * The body has bytes after a read returned `TH_WOULD_BLOCK`, or its first ones: `value` says how many.
 */
#define TH_EVENT_READABLE 2

/**
 * The body of the request takes bytes after a write took fewer than it was given.
 */
#define TH_EVENT_WRITABLE 3

/**
 * The exchange is over: `code`, `status`, and in `value` the bytes of the body. The last event of a request.
 * Content that is not read yet stays until the request is released.
 */
#define TH_EVENT_DONE 4

/**
 * In `ThEvent::flags` of `TH_EVENT_HEADERS`: the connection is one that was open already.
 */
#define TH_FLAG_REUSED 1

/**
 * In `ThEvent::flags` of `TH_EVENT_HEADERS`: the response came over HTTP/2.
 */
#define TH_FLAG_HTTP2 2

/**
 * In `ThEvent::flags` of `TH_EVENT_DONE`: the download went on from a part that was there.
 */
#define TH_FLAG_RESUMED 4

/**
 * A length that is not known.
 */
#define TH_UNKNOWN UINT64_MAX

/**
 * HTTP/1.1 only (ALPN offers nothing else).
 */
#define TH_CLIENT_HTTP1_ONLY 1

/**
 * HTTP/2 without asking, for cleartext servers.
 */
#define TH_CLIENT_HTTP2_PRIOR_KNOWLEDGE 2

/**
 * Redirects are given to the caller.
 */
#define TH_CLIENT_NO_REDIRECTS 4

/**
 * Coded bodies are left as they are.
 */
#define TH_CLIENT_NO_DECODING 8

/**
 * Cookies are kept in memory and sent, as long as the client lives.
 */
#define TH_CLIENT_COOKIES 16

/**
 * Proxies are those of the environment variables.
 */
#define TH_CLIENT_PROXY_FROM_ENV 32

/**
 * The platform's roots are not trusted, only those of `root_pem`.
 */
#define TH_CLIENT_ONLY_ADDED_ROOTS 64

/**
 * Certificates are not checked. For tests.
 */
#define TH_CLIENT_DANGER_ACCEPT_ANY_CERTIFICATE 128

/**
 * The name of the server is not sent in the TLS handshake.
 */
#define TH_CLIENT_NO_SNI 256

/**
 * TLS sessions are not resumed.
 */
#define TH_CLIENT_NO_RESUMPTION 512

/**
 * Malformed fields of a response are passed over.
 */
#define TH_CLIENT_LENIENT_FIELDS 1024

/**
 * No credentials.
 */
#define TH_AUTH_NONE 0

/**
 * Basic (RFC 7617), by user and password.
 */
#define TH_AUTH_BASIC 1

/**
 * Digest (RFC 7616), by user and password.
 */
#define TH_AUTH_DIGEST 2

/**
 * Bearer (RFC 6750): the password is the token.
 */
#define TH_AUTH_BEARER 3

/**
 * The most urgent level.
 */
#define TH_PRIORITY_CRITICAL 1

/**
 * Above normal.
 */
#define TH_PRIORITY_HIGH 2

/**
 * The default, as 0 is.
 */
#define TH_PRIORITY_NORMAL 3

/**
 * After everything else.
 */
#define TH_PRIORITY_LOW 4

/**
 * No body.
 */
#define TH_BODY_NONE 0

/**
 * `body` has the bytes, which are copied.
 */
#define TH_BODY_BYTES 1

/**
 * `body` is the path of a file, which is sent.
 */
#define TH_BODY_FILE 2

/**
 * The body is written by `th_body_write`; `body_length` announces its length, or `TH_UNKNOWN`.
 */
#define TH_BODY_STREAM 3

/**
 * The body of the response is read by `th_body_read` or `th_body_peek`.
 */
#define TH_SINK_WINDOW 0

/**
 * The body of the response is read and dropped.
 */
#define TH_SINK_DROP 1

/**
 * The body of the response goes to the file `sink_path`: a download, which goes on from an unfinished part.
 */
#define TH_SINK_FILE 2

/**
 * What waits and what runs goes on until the time is up.
 */
#define TH_SHUTDOWN_DRAIN 0

/**
 * What waits is canceled; what runs goes on until the time is up.
 */
#define TH_SHUTDOWN_CANCEL_PENDING 1

/**
 * Everything is cut off at once.
 */
#define TH_SHUTDOWN_NOW 2

/**
 * Where a field is in its arena.
 */
typedef struct ThField {
  /**
   * Offset of the name, in bytes.
   */
  uint32_t name_off;
  /**
   * Length of the name, in bytes.
   */
  uint32_t name_len;
  /**
   * Offset of the value, in bytes.
   */
  uint32_t value_off;
  /**
   * Length of the value, in bytes.
   */
  uint32_t value_len;
} ThField;

/**
 * Fields of a request, in order, repeats kept.
 */
typedef struct ThFields {
  /**
   * Names and values.
   */
  const uint8_t *arena;
  /**
   * Where they are.
   */
  const struct ThField *fields;
  /**
   * Bytes of the arena.
   */
  uint32_t arena_len;
  /**
   * How many fields there are.
   */
  uint32_t count;
} ThFields;

/**
 * Bytes of the caller, valid during the call only. A null pointer with length 0 is none.
 */
typedef struct ThText {
  /**
   * The first byte.
   */
  const uint8_t *ptr;
  /**
   * How many there are.
   */
  uint32_t len;
  /**
   * 0.
   */
  uint32_t reserved;
} ThText;

/**
 * How a client is made. All zero but `struct_size` is the default of everything.
 */
typedef struct ThClientConfig {
  /**
   * `sizeof(ThClientConfig)`.
   */
  uint32_t struct_size;
  /**
   * `TH_CLIENT_...`.
   */
  uint32_t flags;
  /**
   * Threads of the engine, 1 to 64; default 1.
   */
  uint32_t workers;
  /**
   * Requests that exist at once, from submit to release, 1 to 65,536; default 4,096.
   */
  uint32_t requests_max;
  /**
   * Bytes of a response body that wait for their reader, 4 KiB to 64 MiB; default 1 MiB.
   */
  uint32_t body_window;
  /**
   * Bytes of a written request body that wait for the network, 4 KiB to 64 MiB; default 256 KiB.
   */
  uint32_t upload_window;
  /**
   * Bytes of all response bodies together that wait for their readers, beyond the first 16 KiB of each, 1 MiB to
   * 4 GiB less 1; default 64 MiB.
   */
  uint32_t body_memory;
  /**
   * Requests of one host at once; default 64.
   */
  uint32_t per_host;
  /**
   * Requests at once; default 256.
   */
  uint32_t total;
  /**
   * Idle connections kept of one host; default 64.
   */
  uint32_t idle_per_host;
  /**
   * Idle connections kept; default 256.
   */
  uint32_t idle_total;
  /**
   * Redirects that are followed; default 10.
   */
  uint32_t redirects_max;
  /**
   * Retries of a failed request that may be sent again; default 0.
   */
  uint32_t retries_max;
  /**
   * Time limit of the wait for a permit, in milliseconds; default none.
   */
  uint32_t permit_ms;
  /**
   * Time limit of a lookup of a name, in milliseconds; default that of the client.
   */
  uint32_t dns_ms;
  /**
   * Time limit of making a connection, in milliseconds.
   */
  uint32_t connect_ms;
  /**
   * Time limit of a TLS handshake, in milliseconds.
   */
  uint32_t tls_ms;
  /**
   * Time limit of the wait for the head of a response, in milliseconds.
   */
  uint32_t head_ms;
  /**
   * Time limit between two pieces of a body, in milliseconds.
   */
  uint32_t body_ms;
  /**
   * Time limit of a whole request, in milliseconds; default none.
   */
  uint32_t request_ms;
  /**
   * How long an idle connection is kept, in milliseconds.
   */
  uint32_t idle_ms;
  /**
   * How old a connection may become before it is used no more, in milliseconds; default any age.
   */
  uint32_t lifetime_ms;
  /**
   * Asks a server by PING whether it lives while a request over HTTP/2 waits for so long, in milliseconds, from
   * 1,000 on; default never.
   */
  uint32_t ping_ms;
  /**
   * Connections of HTTP/2 to one host; default 1.
   */
  uint32_t h2_connections_per_host;
  /**
   * Requests of one host that begin in `rate_ms`; default any number.
   */
  uint32_t rate_per_host;
  /**
   * The time of `rate_per_host`, in milliseconds; default 1,000.
   */
  uint32_t rate_ms;
  /**
   * A request that waits becomes one priority more urgent each such time, in milliseconds; default never.
   */
  uint32_t ageing_ms;
  /**
   * The least version of TLS: 12 or 13; default 12.
   */
  uint32_t tls_min;
  /**
   * Addresses of one family only: 4 or 6; default both.
   */
  uint32_t ip_version;
  /**
   * `TH_AUTH_...`.
   */
  uint32_t auth_kind;
  /**
   * Fields of every request.
   */
  struct ThFields headers;
  /**
   * The value of User-Agent.
   */
  struct ThText user_agent;
  /**
   * The URL of a proxy for everything: `http`, `https`, `socks5`, `socks5h`.
   */
  struct ThText proxy;
  /**
   * The user at the proxy.
   */
  struct ThText proxy_user;
  /**
   * The password at the proxy.
   */
  struct ThText proxy_password;
  /**
   * Roots that are trusted, as PEM.
   */
  struct ThText root_pem;
  /**
   * The certificate of the client, as PEM.
   */
  struct ThText certificate_pem;
  /**
   * Its key, as PEM.
   */
  struct ThText key_pem;
  /**
   * Pins of public keys: `sha256//BASE64;sha256//BASE64`.
   */
  struct ThText pins;
  /**
   * The origin that the credentials are for, as a URL.
   */
  struct ThText auth_origin;
  /**
   * The user at this origin.
   */
  struct ThText auth_user;
  /**
   * The password, or the token.
   */
  struct ThText auth_password;
  /**
   * The path of a Unix socket that takes the place of every server.
   */
  struct ThText unix_socket;
  /**
   * Addresses that are used instead of asking DNS: `HOST=ADDRESS,ADDRESS;HOST=ADDRESS`, an address with or
   * without a port.
   */
  struct ThText resolve;
  /**
   * The address of this machine that connections are made from.
   */
  struct ThText local_address;
  /**
   * The network interface that connections are made by.
   */
  struct ThText network_interface;
} ThClientConfig;

/**
 * A client: 8 bits of slot and 24 bits of generation. 0 is none.
 */
typedef uint32_t ThClient;

/**
 * What a client holds right now.
 */
typedef struct ThStats {
  /**
   * `sizeof(ThStats)`, set by the caller.
   */
  uint32_t struct_size;
  /**
   * Requests that exist, from submit to release.
   */
  uint32_t requests;
  /**
   * Requests whose exchange is not over.
   */
  uint32_t tasks;
  /**
   * Requests that have events which were not polled.
   */
  uint32_t ready;
  /**
   * Requests that wait for a permit.
   */
  uint32_t waiting;
  /**
   * Requests that have one.
   */
  uint32_t running;
  /**
   * Open connections.
   */
  uint32_t connections;
  /**
   * Those of them that are idle.
   */
  uint32_t idle_connections;
  /**
   * Bytes of bodies that wait for their readers.
   */
  uint64_t body_bytes;
  /**
   * The most bytes of one body that waited at once.
   */
  uint64_t body_peak;
  /**
   * Requests that were submitted.
   */
  uint64_t submitted;
  /**
   * Requests whose exchange is over.
   */
  uint64_t done;
} ThStats;

/**
 * How everything ended that was inside when a client was shut down.
 */
typedef struct ThCloseReport {
  /**
   * `sizeof(ThCloseReport)`, set by the caller.
   */
  uint32_t struct_size;
  /**
   * Components that could not be closed.
   */
  uint32_t failures;
  /**
   * Requests that were inside.
   */
  uint64_t accepted;
  /**
   * Those of them that ended by themselves.
   */
  uint64_t completed;
  /**
   * Those that were canceled, or refused while they waited.
   */
  uint64_t canceled;
  /**
   * Those whose wait took too long.
   */
  uint64_t expired;
  /**
   * Those that the shutdown cut off.
   */
  uint64_t aborted;
  /**
   * From the call until nothing was inside, in nanoseconds.
   */
  uint64_t elapsed_ns;
} ThCloseReport;

/**
 * A request. All zero but `struct_size` and `url` is a GET.
 */
typedef struct ThRequest {
  /**
   * `sizeof(ThRequest)`.
   */
  uint32_t struct_size;
  /**
   * 0.
   */
  uint32_t flags;
  /**
   * `TH_PRIORITY_...`; 0 is normal.
   */
  uint32_t priority;
  /**
   * Time limit of the whole request, in milliseconds; 0 is the client's.
   */
  uint32_t timeout_ms;
  /**
   * `TH_BODY_...`.
   */
  uint32_t body_kind;
  /**
   * `TH_SINK_...`.
   */
  uint32_t sink_kind;
  /**
   * Bytes of the response that wait for their reader; 0 is the client's.
   */
  uint32_t body_window;
  /**
   * Connections of a download to a file; 0 is 4.
   */
  uint32_t connections;
  /**
   * The length of a body that is written, or `TH_UNKNOWN`.
   */
  uint64_t body_length;
  /**
   * The method; none is GET.
   */
  struct ThText method;
  /**
   * The URL.
   */
  struct ThText url;
  /**
   * The bytes, or the path of the file.
   */
  struct ThText body;
  /**
   * The path of the file that the response goes to.
   */
  struct ThText sink_path;
  /**
   * What that file must hash to: `sha256:HEX`, `sha512:HEX`, `md5:HEX` or `blake3:HEX`.
   */
  struct ThText checksum;
  /**
   * The fields.
   */
  struct ThFields headers;
} ThRequest;

/**
 * A request: its slot, its generation and its client. 0 is none.
 */
typedef uint64_t ThRequestId;

/**
 * The head of a response, or its trailers: a view that stays until `th_release`.
 */
typedef struct ThHead {
  /**
   * The status; of trailers 0.
   */
  uint32_t status;
  /**
   * 10, 11 or 20 for HTTP/1.0, HTTP/1.1 and HTTP/2.
   */
  uint32_t version;
  /**
   * Bytes of the arena.
   */
  uint32_t arena_len;
  /**
   * How many fields there are.
   */
  uint32_t count;
  /**
   * Where the URL is in the arena that answered, redirects followed.
   */
  uint32_t url_off;
  /**
   * Its length.
   */
  uint32_t url_len;
  /**
   * The content length, or `TH_UNKNOWN`.
   */
  uint64_t content_length;
  /**
   * Names in lower case, values as they came, the URL.
   */
  const uint8_t *arena;
  /**
   * Where they are.
   */
  const struct ThField *fields;
} ThHead;

/**
 * How long each phase of a request took, in nanoseconds.
 */
typedef struct ThTimeline {
  /**
   * `sizeof(ThTimeline)`, set by the caller.
   */
  uint32_t struct_size;
  /**
   * `TH_FLAG_REUSED`.
   */
  uint32_t flags;
  /**
   * How often the request was sent.
   */
  uint32_t attempts;
  /**
   * Spans that had no room.
   */
  uint32_t dropped_events;
  /**
   * The connection, 0 where there was none.
   */
  uint64_t connection_id;
  /**
   * From submit to the end.
   */
  uint64_t total_ns;
  /**
   * Between two attempts.
   */
  uint64_t backoff_ns;
  /**
   * While the host was paused.
   */
  uint64_t pause_ns;
  /**
   * For a permit of the host.
   */
  uint64_t host_permit_ns;
  /**
   * For a permit of the total.
   */
  uint64_t total_permit_ns;
  /**
   * Looking up the name.
   */
  uint64_t dns_ns;
  /**
   * Opening the connection.
   */
  uint64_t connect_ns;
  /**
   * Asking a proxy for a tunnel.
   */
  uint64_t tunnel_ns;
  /**
   * The TLS handshake.
   */
  uint64_t tls_ns;
  /**
   * Sending head and body.
   */
  uint64_t send_ns;
  /**
   * Waiting for the first byte of the response.
   */
  uint64_t wait_ns;
  /**
   * Receiving the rest.
   */
  uint64_t receive_ns;
} ThTimeline;

/**
 * One span of a timeline.
 */
typedef struct ThTimelineEvent {
  /**
   * The phase, from 0: backoff, queue, pause, host permit, total permit, DNS, connect, tunnel, TLS, send,
   * wait, receive.
   */
  uint32_t phase;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Nanoseconds from submit to its begin.
   */
  uint64_t start_ns;
  /**
   * Nanoseconds from submit to its end.
   */
  uint64_t end_ns;
} ThTimelineEvent;

/**
 * How far a request is.
 */
typedef struct ThProgress {
  /**
   * `sizeof(ThProgress)`, set by the caller.
   */
  uint32_t struct_size;
  /**
   * 0.
   */
  uint32_t reserved;
  /**
   * Bytes of the body of the request that the system has taken, of the attempt that is under way.
   */
  uint64_t sent;
  /**
   * How many there are, or `TH_UNKNOWN`.
   */
  uint64_t to_send;
  /**
   * Bytes of the body of the response that have come, decoded; of a download those of the file, former ones
   * included.
   */
  uint64_t received;
  /**
   * How many there are, or `TH_UNKNOWN`.
   */
  uint64_t to_receive;
} ThProgress;

/**
 * Something that happened to a request: 40 bytes on 32 and on 64 bit.
 */
typedef struct ThEvent {
  /**
   * The request.
   */
  ThRequestId request;
  /**
   * What the caller gave `th_submit` to know it by.
   */
  uint64_t user;
  /**
   * `TH_EVENT_...`.
   */
  uint32_t kind;
  /**
   * `TH_FLAG_...`.
   */
  uint32_t flags;
  /**
   * How the exchange ended.
   */
  int32_t code;
  /**
   * The status of the response, 0 where there is none.
   */
  uint32_t status;
  /**
   * By kind.
   */
  uint64_t value;
} ThEvent;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the ABI: the major number in the upper 16 bits, the minor in the lower.
 */
uint32_t th_abi_version(void);

/**
 * The size of a structure in bytes, to compare layouts by: 1 `ThText`, 2 `ThField`, 3 `ThFields`,
 * 4 `ThClientConfig`, 5 `ThRequest`, 6 `ThEvent`, 7 `ThHead`, 8 `ThTimeline`, 9 `ThTimelineEvent`,
 * 10 `ThStats`, 11 `ThCloseReport`, 12 `ThProgress`. Of another number 0.
 */
uint32_t th_struct_size(uint32_t which);

/**
 * Copies the text of this thread's last error, in UTF-8 and without a zero at its end, as much as fits.
 * Returns how many bytes it has.
 *
 * # Safety
 *
 * `dst` is null with `cap` 0, or `cap` bytes can be written there.
 */
uint32_t th_last_error(uint8_t *dst, uint32_t cap);

/**
 * Copies the name of a code, as `TH_TIMEOUT`, without a zero at its end, as much as fits. Returns how many bytes it
 * has; of what is no code 0.
 *
 * # Safety
 *
 * `dst` is null with `cap` 0, or `cap` bytes can be written there.
 */
uint32_t th_code_name(int32_t code,
                      uint8_t *dst,
                      uint32_t cap);

/**
 * Destroys the clients that an earlier domain of this owner has left, as a managed runtime that was reloaded
 * does; to be called when the library is loaded. Returns how many there were. Blocks at most 1 s for all of them.
 */
int32_t th_epoch_begin(uint64_t owner);

/**
 * How many clients the process has.
 */
uint32_t th_client_count(void);

/**
 * Makes a client with threads of its own. `owner` is what the caller names its domain by, for
 * `th_epoch_begin`.
 *
 * # Safety
 *
 * `config` is null or can be read, with all texts and fields in it; `out` is null or can be written.
 */
int32_t th_client_create(const struct ThClientConfig *config, uint64_t owner, ThClient *out);

/**
 * Begins the shutdown and returns at once: no request is accepted any more, and what is inside ends as `mode`
 * says, within `timeout_ms`. Every request says DONE. `th_close_report` says when it is over. A second call can
 * make it stricter, and never milder.
 */
int32_t th_client_shutdown(ThClient client,
                           uint32_t mode,
                           uint32_t timeout_ms);

/**
 * Ends a client, what it has under way and its threads, and blocks for that at most `timeout_ms`. Returns how
 * many exchanges are still alive, mostly 0. The handle is stale from now on, and so are its requests; views of
 * their heads and bodies end. Calls of other threads that are under way end well. Of a stale handle 0, so that
 * a second call does no harm.
 */
int32_t th_client_destroy(ThClient client,
                          uint32_t timeout_ms);

/**
 * What the client holds right now.
 *
 * # Safety
 *
 * `out` is null or can be written, `struct_size` set.
 */
int32_t th_client_stats(ThClient client, struct ThStats *out);

/**
 * How the shutdown ended. `TH_WOULD_BLOCK` as long as it has not, `TH_STATE` if none was begun.
 *
 * # Safety
 *
 * `out` is null or can be written, `struct_size` set.
 */
int32_t th_close_report(ThClient client, struct ThCloseReport *out);

/**
 * Closes the connections that are idle, as after a change of network. Returns how many.
 */
int32_t th_client_close_idle(ThClient client);

/**
 * Copies the cookies of a client in the format of Netscape, which curl and browsers read, as much as fits. `len` says
 * how many bytes they have. `TH_STATE` if the client keeps none.
 *
 * # Safety
 *
 * `dst` is null with `cap` 0, or `cap` bytes can be written there; `len` is null or can be written.
 */
int32_t th_cookies_export(ThClient client,
                          uint8_t *dst,
                          uint32_t cap,
                          uint32_t *len);

/**
 * Adds cookies to those of a client, in the format of Netscape. A cookie of the same name, domain and path is
 * replaced. `TH_STATE` if the client keeps none.
 *
 * # Safety
 *
 * `text` is null with `len` 0, or so many bytes can be read there.
 */
int32_t th_cookies_import(ThClient client, const uint8_t *text, uint32_t len);

/**
 * Gives the host of a URL a limit of its own; 0 gives it the client's again.
 *
 * # Safety
 *
 * `url` is null with `url_len` 0, or so many bytes can be read there.
 */
int32_t th_host_limit(ThClient client, const uint8_t *url, uint32_t url_len, uint32_t limit);

/**
 * Starts no request to the host of a URL for so many milliseconds.
 *
 * # Safety
 *
 * As `th_host_limit`.
 */
int32_t th_host_pause(ThClient client, const uint8_t *url, uint32_t url_len, uint32_t ms);

/**
 * Puts a request in line and returns at once. `user` comes back with its events. All that
 * `request` refers to is copied. A URL, a method or a field that cannot be is `TH_ARG`; as many requests as
 * may exist are `TH_QUEUE_FULL`; after the shutdown `TH_SHUTDOWN`. What was accepted says DONE once, and is
 * there until `th_release`.
 *
 * # Safety
 *
 * `request` is null or can be read, with all texts and fields in it; `out` is null or can be written.
 */
int32_t th_submit(ThClient client, const struct ThRequest *request, uint64_t user, ThRequestId *out);

/**
 * Ends a request, which says DONE with `TH_CANCELLED` unless it is over already. Any number of times.
 */
int32_t th_cancel(ThClient client, ThRequestId request);

/**
 * Changes the priority of a request that waits in line; it keeps its age. `TH_STATE` once it does not
 * wait any more. Of a download it is that of its first request.
 */
int32_t th_set_priority(ThClient client, ThRequestId request, uint32_t priority);

/**
 * Lets go of a request, and cancels it if it is under way. Its id is stale from now on, and so are the views
 * of its head and body.
 */
int32_t th_release(ThClient client, ThRequestId request);

/**
 * A view of the head of the response, which stays until `th_release`. `TH_STATE` before HEADERS.
 *
 * # Safety
 *
 * `out` is null or can be written.
 */
int32_t th_head(ThClient client, ThRequestId request, struct ThHead *out);

/**
 * A view of the trailers of the response, as of its head; without any its `count` is 0. `TH_STATE` before
 * DONE.
 *
 * # Safety
 *
 * `out` is null or can be written.
 */
int32_t th_trailers(ThClient client, ThRequestId request, struct ThHead *out);

/**
 * How long each phase took. `TH_STATE` before HEADERS and DONE.
 *
 * # Safety
 *
 * `out` is null or can be written, `struct_size` set.
 */
int32_t th_timeline(ThClient client, ThRequestId request, struct ThTimeline *out);

/**
 * The spans of the timeline, at most `cap`. Returns how many were given; with `cap` 0 how many there are.
 *
 * # Safety
 *
 * `out` is null with `cap` 0, or `cap` spans can be written there.
 */
int32_t th_timeline_events(ThClient client, ThRequestId request, struct ThTimelineEvent *out, uint32_t cap);

/**
 * How far a request is, at any time until its release.
 *
 * # Safety
 *
 * `out` is null or can be written, `struct_size` set.
 */
int32_t th_progress(ThClient client, ThRequestId request, struct ThProgress *out);

/**
 * Copies the text of what ended a request, in UTF-8 and without a zero at its end, as much as fits. Returns how
 * many bytes it has: 0 where nothing went wrong, nothing is over yet, or there is no such request.
 *
 * # Safety
 *
 * `dst` is null with `cap` 0, or `cap` bytes can be written there.
 */
uint32_t th_request_error(ThClient client,
                          ThRequestId request,
                          uint8_t *dst,
                          uint32_t cap);

/**
 * Takes at most `cap` events, and waits for the first one for at most `wait_ms`, 100 at most. Returns how many
 * there are. One thread at a time: another one gets `TH_BUSY`.
 *
 * Of one request the events come in order: HEADERS, READABLE, WRITABLE, DONE. Each accepted request says DONE
 * once, and nothing after it; a request that was released says nothing more.
 *
 * # Safety
 *
 * `out` is null with `cap` 0, or `cap` events can be written there.
 */
int32_t th_poll(ThClient client,
                struct ThEvent *out,
                uint32_t cap,
                uint32_t wait_ms);

/**
 * Ends the wait of the poll that is under way, or of the next one.
 */
int32_t th_wake(ThClient client);

/**
 * Copies content of the response, and waits for some for at most `wait_ms`, 100 at most. `got` says how much.
 *
 * `TH_WOULD_BLOCK` if there is none yet; READABLE or DONE follows. `TH_EOF` if there is none any more; if the exchange
 * has failed, its code instead. One reader at a time, of any thread: another one gets `TH_BUSY`.
 *
 * # Safety
 *
 * `dst` is null with `cap` 0, or `cap` bytes can be written there; `got` is null or can be written.
 */
int32_t th_body_read(ThClient client,
                     ThRequestId request,
                     uint8_t *dst,
                     uint32_t cap,
                     uint32_t wait_ms,
                     uint32_t *got);

/**
 * A view of the content that can be read at once, in one piece; it stays until `th_body_consume`, a read, or
 * `th_release`. Codes as of `th_body_read`.
 *
 * # Safety
 *
 * `ptr` and `len` are null or can be written.
 */
int32_t th_body_peek(ThClient client, ThRequestId request, const uint8_t **ptr, uint32_t *len);

/**
 * Takes `n` bytes off that `th_body_peek` has shown. More than it has shown are `TH_ARG`.
 */
int32_t th_body_consume(ThClient client, ThRequestId request, uint32_t n);

/**
 * Writes content of the request, and waits for room for at most `wait_ms`, 100 at most. `took` says how much
 * was taken, which is copied. `TH_OK` if it is all; `TH_WOULD_BLOCK` if it is less, and WRITABLE or DONE follows.
 * `TH_STATE` if the body is finished or not wanted any more, as after an error status, the exchange over, or the body
 * none that is written.
 *
 * # Safety
 *
 * `src` is null with `len` 0, or `len` bytes can be read there; `took` is null or can be written.
 */
int32_t th_body_write(ThClient client,
                      ThRequestId request,
                      const uint8_t *src,
                      uint32_t len,
                      uint32_t wait_ms,
                      uint32_t *took);

/**
 * Ends the body of the request. `trailers` may be null. `TH_STATE` if it is finished already, or none that is
 * written; what is not wanted any more can be finished.
 *
 * # Safety
 *
 * `trailers` is null or can be read, with all fields in it.
 */
int32_t th_body_finish(ThClient client, ThRequestId request, const struct ThFields *trailers);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TURBOHTTP_H */
