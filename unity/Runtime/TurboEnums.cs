namespace TurboHttp
{
    /// <summary>Which thread dispatches the events of a client, and so runs what awaits it.</summary>
    public enum TurboMode
    {
        /// <summary>A background thread of the client.</summary>
        Worker = 0,
        /// <summary>The thread that made the client, when it calls <see cref="TurboClient.Pump(int, int)"/>.</summary>
        Pumped = 1
    }

    /// <summary>How urgent a request is. A more urgent one that waits is always sent first.</summary>
    public enum TurboPriority
    {
        /// <summary>The most urgent level.</summary>
        Critical = 1,
        /// <summary>Above normal.</summary>
        High = 2,
        /// <summary>The default.</summary>
        Normal = 3,
        /// <summary>After everything else.</summary>
        Low = 4
    }

    /// <summary>What a shutdown does with requests.</summary>
    public enum TurboShutdown
    {
        /// <summary>What waits and what runs goes on until the time is up.</summary>
        Drain = 0,
        /// <summary>What waits is canceled; what runs goes on until the time is up.</summary>
        CancelPending = 1,
        /// <summary>Everything is cut off at once.</summary>
        Now = 2
    }

    /// <summary>How a client proves who it is to one origin.</summary>
    public enum TurboAuth
    {
        /// <summary>Not at all.</summary>
        None = 0,
        /// <summary>Basic, by user and password (RFC 7617).</summary>
        Basic = 1,
        /// <summary>Digest, by user and password (RFC 7616).</summary>
        Digest = 2,
        /// <summary>Bearer, by a token (RFC 6750).</summary>
        Bearer = 3
    }

    /// <summary>A phase of a request.</summary>
    public enum TurboPhase
    {
        /// <summary>Between two attempts.</summary>
        Backoff = 0,
        /// <summary>In a queue with workers, which only Rust has.</summary>
        Queue = 1,
        /// <summary>While the host was paused.</summary>
        Pause = 2,
        /// <summary>For a permit of the host.</summary>
        HostPermit = 3,
        /// <summary>For a permit of the total.</summary>
        TotalPermit = 4,
        /// <summary>Looking up the name.</summary>
        Dns = 5,
        /// <summary>Opening the connection.</summary>
        Connect = 6,
        /// <summary>Asking a proxy for a tunnel.</summary>
        Tunnel = 7,
        /// <summary>The TLS handshake.</summary>
        Tls = 8,
        /// <summary>Sending head and body.</summary>
        Send = 9,
        /// <summary>Waiting for the first byte of the response.</summary>
        Wait = 10,
        /// <summary>Receiving the rest.</summary>
        Receive = 11
    }
}
