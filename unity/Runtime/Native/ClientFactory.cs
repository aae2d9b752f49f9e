using System;

namespace TurboHttp.Native
{
    /// <summary>Makes native clients and submits requests: the two calls with many pointers.</summary>
    internal static unsafe class ClientFactory
    {
        /// <summary>The texts of a configuration in one array, so that one pin is enough.</summary>
        private sealed class TextArena
        {
            private readonly int[] starts = new int[15];
            private readonly byte[][] parts = new byte[15][];
            private int count;
            private int length;

            internal void Add(string text)
            {
                parts[count] = Text.Encode(text);
                starts[count] = length;
                length += parts[count].Length;
                count++;
            }

            internal byte[] Join()
            {
                byte[] all = new byte[length + 1];
                for (int i = 0; i < count; i++)
                {
                    Buffer.BlockCopy(parts[i], 0, all, starts[i], parts[i].Length);
                }
                return all;
            }

            internal ThText At(byte* start, int index)
            {
                ThText text = default(ThText);
                if (parts[index].Length > 0)
                {
                    text.ptr = start + starts[index];
                    text.len = (uint)parts[index].Length;
                }
                return text;
            }
        }

        /// <exception cref="TurboException">An option is wrong, or the engine cannot start.</exception>
        internal static uint Create(TurboClientOptions options, ulong owner)
        {
            TextArena texts = new TextArena();
            texts.Add(options.UserAgent);
            texts.Add(options.Proxy);
            texts.Add(options.ProxyUser);
            texts.Add(options.ProxyPassword);
            texts.Add(options.RootPem);
            texts.Add(options.CertificatePem);
            texts.Add(options.KeyPem);
            texts.Add(options.Pins);
            texts.Add(options.AuthOrigin);
            texts.Add(options.AuthUser);
            texts.Add(options.AuthPassword);
            texts.Add(options.UnixSocket);
            texts.Add(options.Resolve);
            texts.Add(options.LocalAddress);
            texts.Add(options.NetworkInterface);
            ThClientConfig config = Numbers(options);
            uint client = 0;
            int code;
            fixed (byte* all = texts.Join())
            fixed (byte* arena = options.Headers.Arena)
            fixed (ThField* fields = options.Headers.Fields)
            {
                config.user_agent = texts.At(all, 0);
                config.proxy = texts.At(all, 1);
                config.proxy_user = texts.At(all, 2);
                config.proxy_password = texts.At(all, 3);
                config.root_pem = texts.At(all, 4);
                config.certificate_pem = texts.At(all, 5);
                config.key_pem = texts.At(all, 6);
                config.pins = texts.At(all, 7);
                config.auth_origin = texts.At(all, 8);
                config.auth_user = texts.At(all, 9);
                config.auth_password = texts.At(all, 10);
                config.unix_socket = texts.At(all, 11);
                config.resolve = texts.At(all, 12);
                config.local_address = texts.At(all, 13);
                config.network_interface = texts.At(all, 14);
                config.headers = View(options.Headers, arena, fields);
                code = NativeMethods.th_client_create(&config, owner, &client);
            }
            if (code < 0)
            {
                throw new TurboException((TurboError)code, Text.LastError());
            }
            return client;
        }

        /// <summary>Submits a request and returns the code; the text of a failure is <see cref="Text.LastError"/>.</summary>
        internal static int Submit(uint client, TurboRequest source, ulong user, out ulong id)
        {
            ThRequest request = default(ThRequest);
            request.struct_size = (uint)sizeof(ThRequest);
            request.priority = (uint)source.Priority;
            request.timeout_ms = Text.Milliseconds(source.Timeout);
            request.body_kind = source.BodyKind;
            request.sink_kind = source.SinkKind;
            request.body_window = (uint)Math.Max(0, source.BodyWindow);
            request.connections = source.SinkKind == NativeMethods.TH_SINK_FILE ? source.Connections : 0;
            request.body_length = source.BodyLength;
            ulong submitted = 0;
            int code;
            fixed (byte* method = source.MethodBytes)
            fixed (byte* url = source.UrlBytes)
            fixed (byte* body = source.Body)
            fixed (byte* sink = source.SinkBytes)
            fixed (byte* checksum = source.ChecksumBytes)
            fixed (byte* arena = source.Headers.Arena)
            fixed (ThField* fields = source.Headers.Fields)
            {
                request.method = At(method, source.MethodBytes.Length);
                request.url = At(url, source.UrlBytes.Length);
                request.body = At(body + source.BodyStart, source.BodyCount);
                if (source.SinkKind == NativeMethods.TH_SINK_FILE)
                {
                    request.sink_path = At(sink, source.SinkBytes.Length);
                    request.checksum = At(checksum, source.ChecksumBytes.Length);
                }
                request.headers = View(source.Headers, arena, fields);
                code = NativeMethods.th_submit(client, &request, user, &submitted);
            }
            id = submitted;
            return code;
        }

        internal static ThFields View(TurboFields source, byte* arena, ThField* fields)
        {
            ThFields view = default(ThFields);
            if (source.Count > 0)
            {
                view.arena = arena;
                view.fields = fields;
                view.arena_len = (uint)source.ArenaLength;
                view.count = (uint)source.Count;
            }
            return view;
        }

        private static ThText At(byte* start, int length)
        {
            ThText text = default(ThText);
            if (length > 0)
            {
                text.ptr = start;
                text.len = (uint)length;
            }
            return text;
        }

        private static ThClientConfig Numbers(TurboClientOptions options)
        {
            ThClientConfig config = default(ThClientConfig);
            config.struct_size = (uint)sizeof(ThClientConfig);
            config.flags = Flags(options);
            config.workers = Number(options.Workers);
            config.requests_max = Number(options.RequestsMax);
            config.body_window = Number(options.BodyWindow);
            config.upload_window = Number(options.UploadWindow);
            config.body_memory = (uint)Math.Min(uint.MaxValue, Math.Max(0, options.BodyMemory));
            config.per_host = Number(options.PerHost);
            config.total = Number(options.Total);
            config.idle_per_host = Number(options.IdlePerHost);
            config.idle_total = Number(options.IdleTotal);
            config.redirects_max = Number(options.RedirectsMax);
            config.retries_max = Number(options.RetriesMax);
            config.permit_ms = Text.Milliseconds(options.PermitTimeout);
            config.dns_ms = Text.Milliseconds(options.DnsTimeout);
            config.connect_ms = Text.Milliseconds(options.ConnectTimeout);
            config.tls_ms = Text.Milliseconds(options.TlsTimeout);
            config.head_ms = Text.Milliseconds(options.HeadTimeout);
            config.body_ms = Text.Milliseconds(options.BodyTimeout);
            config.request_ms = Text.Milliseconds(options.RequestTimeout);
            config.idle_ms = Text.Milliseconds(options.IdleTimeout);
            config.lifetime_ms = Text.Milliseconds(options.Lifetime);
            config.ping_ms = Text.Milliseconds(options.PingInterval);
            config.h2_connections_per_host = Number(options.Http2ConnectionsPerHost);
            config.rate_per_host = Number(options.RatePerHost);
            config.rate_ms = Text.Milliseconds(options.RateTime);
            config.ageing_ms = Text.Milliseconds(options.Ageing);
            config.tls_min = options.Tls13Only ? 13u : 0;
            config.ip_version = Number(options.IpVersion);
            config.auth_kind = (uint)options.Auth;
            return config;
        }

        private static uint Flags(TurboClientOptions options)
        {
            return Flag(options.Http1Only, NativeMethods.TH_CLIENT_HTTP1_ONLY)
                | Flag(options.Http2PriorKnowledge, NativeMethods.TH_CLIENT_HTTP2_PRIOR_KNOWLEDGE)
                | Flag(options.NoRedirects, NativeMethods.TH_CLIENT_NO_REDIRECTS)
                | Flag(options.NoDecoding, NativeMethods.TH_CLIENT_NO_DECODING)
                | Flag(options.Cookies, NativeMethods.TH_CLIENT_COOKIES)
                | Flag(options.ProxyFromEnvironment, NativeMethods.TH_CLIENT_PROXY_FROM_ENV)
                | Flag(options.OnlyAddedRoots, NativeMethods.TH_CLIENT_ONLY_ADDED_ROOTS)
                | Flag(options.DangerAcceptAnyCertificate, NativeMethods.TH_CLIENT_DANGER_ACCEPT_ANY_CERTIFICATE)
                | Flag(options.NoSni, NativeMethods.TH_CLIENT_NO_SNI)
                | Flag(options.NoResumption, NativeMethods.TH_CLIENT_NO_RESUMPTION)
                | Flag(options.LenientFields, NativeMethods.TH_CLIENT_LENIENT_FIELDS);
        }

        private static uint Flag(bool isSet, uint flag)
        {
            return isSet ? flag : 0;
        }

        private static uint Number(int value)
        {
            return (uint)Math.Max(0, value);
        }
    }
}
