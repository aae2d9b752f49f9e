using System;

namespace TurboHttp
{
    /// <summary>How a client is made. What is zero or null is the default.</summary>
    public sealed class TurboClientOptions
    {
        /// <summary>Which thread dispatches events.</summary>
        public TurboMode Mode { get; set; }
        /// <summary>A name for lists and messages.</summary>
        public string Name { get; set; }

        /// <summary>Threads of the engine, 1 to 64; default 1.</summary>
        public int Workers { get; set; }
        /// <summary>Requests that exist at once, from submit to dispose, 1 to 65,536; default 4,096.</summary>
        public int RequestsMax { get; set; }
        /// <summary>Bytes of a response body that wait for their reader, 4 KiB to 64 MiB; default 1 MiB.</summary>
        public int BodyWindow { get; set; }
        /// <summary>Bytes of a written request body that wait for the network, 4 KiB to 64 MiB; default 256 KiB.</summary>
        public int UploadWindow { get; set; }
        /// <summary>Bytes of all response bodies together that wait, 1 MiB and more; default 64 MiB.</summary>
        public long BodyMemory { get; set; }
        /// <summary>Requests of one host at once; default 64.</summary>
        public int PerHost { get; set; }
        /// <summary>Requests at once; default 256.</summary>
        public int Total { get; set; }
        /// <summary>Idle connections kept of one host; default 64.</summary>
        public int IdlePerHost { get; set; }
        /// <summary>Idle connections kept; default 256.</summary>
        public int IdleTotal { get; set; }
        /// <summary>Redirects that are followed; default 10.</summary>
        public int RedirectsMax { get; set; }
        /// <summary>Retries of a failed request that may be sent again; default 0.</summary>
        public int RetriesMax { get; set; }
        /// <summary>Connections of HTTP/2 to one host; default 1.</summary>
        public int Http2ConnectionsPerHost { get; set; }
        /// <summary>Requests of one host that begin in <see cref="RateTime"/>; default any number.</summary>
        public int RatePerHost { get; set; }
        /// <summary>The time of <see cref="RatePerHost"/>; default one second.</summary>
        public TimeSpan RateTime { get; set; }
        /// <summary>A request that waits becomes one priority more urgent each such time; default never.</summary>
        public TimeSpan Ageing { get; set; }

        /// <summary>Time limit of the wait for a permit; default none.</summary>
        public TimeSpan PermitTimeout { get; set; }
        /// <summary>Time limit of a lookup of a name.</summary>
        public TimeSpan DnsTimeout { get; set; }
        /// <summary>Time limit of making a connection.</summary>
        public TimeSpan ConnectTimeout { get; set; }
        /// <summary>Time limit of a TLS handshake.</summary>
        public TimeSpan TlsTimeout { get; set; }
        /// <summary>Time limit of the wait for the head of a response.</summary>
        public TimeSpan HeadTimeout { get; set; }
        /// <summary>Time limit between two pieces of a body.</summary>
        public TimeSpan BodyTimeout { get; set; }
        /// <summary>Time limit of a whole request; default none.</summary>
        public TimeSpan RequestTimeout { get; set; }
        /// <summary>How long an idle connection is kept.</summary>
        public TimeSpan IdleTimeout { get; set; }
        /// <summary>How old a connection may become before it is used no more; default any age.</summary>
        public TimeSpan Lifetime { get; set; }
        /// <summary>Asks a server by PING whether it lives while a request over HTTP/2 waits for so long; default never.</summary>
        public TimeSpan PingInterval { get; set; }

        /// <summary>HTTP/1.1 only.</summary>
        public bool Http1Only { get; set; }
        /// <summary>HTTP/2 without asking, for cleartext servers.</summary>
        public bool Http2PriorKnowledge { get; set; }
        /// <summary>Redirects are given to the caller.</summary>
        public bool NoRedirects { get; set; }
        /// <summary>Coded bodies are left as they are.</summary>
        public bool NoDecoding { get; set; }
        /// <summary>Cookies are kept in memory and sent.</summary>
        public bool Cookies { get; set; }
        /// <summary>Proxies are those of the environment variables.</summary>
        public bool ProxyFromEnvironment { get; set; }
        /// <summary>The platform's roots are not trusted, only those of <see cref="RootPem"/>.</summary>
        public bool OnlyAddedRoots { get; set; }
        /// <summary>Certificates are not checked. For tests.</summary>
        public bool DangerAcceptAnyCertificate { get; set; }
        /// <summary>The name of the server is not sent in the TLS handshake.</summary>
        public bool NoSni { get; set; }
        /// <summary>TLS sessions are not resumed.</summary>
        public bool NoResumption { get; set; }
        /// <summary>TLS 1.3 at least, rather than 1.2.</summary>
        public bool Tls13Only { get; set; }
        /// <summary>Malformed fields of a response are passed over.</summary>
        public bool LenientFields { get; set; }
        /// <summary>Addresses of one family only: 4 or 6; default both.</summary>
        public int IpVersion { get; set; }

        /// <summary>Fields of every request.</summary>
        public TurboFields Headers { get; } = new TurboFields();
        /// <summary>The value of User-Agent.</summary>
        public string UserAgent { get; set; }
        /// <summary>The URL of a proxy for everything: <c>http</c>, <c>https</c>, <c>socks5</c>, <c>socks5h</c>.</summary>
        public string Proxy { get; set; }
        /// <summary>The user at the proxy.</summary>
        public string ProxyUser { get; set; }
        /// <summary>The password at the proxy.</summary>
        public string ProxyPassword { get; set; }
        /// <summary>Roots that are trusted, as PEM.</summary>
        public string RootPem { get; set; }
        /// <summary>The certificate of the client, as PEM.</summary>
        public string CertificatePem { get; set; }
        /// <summary>Its key, as PEM.</summary>
        public string KeyPem { get; set; }
        /// <summary>Pins of public keys: <c>sha256//BASE64;sha256//BASE64</c>.</summary>
        public string Pins { get; set; }
        /// <summary>How the client proves who it is to <see cref="AuthOrigin"/>.</summary>
        public TurboAuth Auth { get; set; }
        /// <summary>The origin that the credentials are for, as a URL.</summary>
        public string AuthOrigin { get; set; }
        /// <summary>The user at this origin.</summary>
        public string AuthUser { get; set; }
        /// <summary>The password, or the token.</summary>
        public string AuthPassword { get; set; }
        /// <summary>The path of a Unix socket that takes the place of every server.</summary>
        public string UnixSocket { get; set; }
        /// <summary>Addresses that are used instead of asking DNS: <c>HOST=ADDRESS,ADDRESS;HOST=ADDRESS</c>.</summary>
        public string Resolve { get; set; }
        /// <summary>The address of this machine that connections are made from.</summary>
        public string LocalAddress { get; set; }
        /// <summary>The network interface that connections are made by.</summary>
        public string NetworkInterface { get; set; }
    }
}
