namespace TurboHttp
{
    /// <summary>Why a request or a call failed. The numbers are those of the native library and do not change.</summary>
    public enum TurboError
    {
        /// <summary>It did not fail.</summary>
        None = 0,
        /// <summary>The client or the request does not exist anymore.</summary>
        Stale = -1,
        /// <summary>An argument is wrong: a URL, a header field, a limit.</summary>
        Argument = -2,
        /// <summary>The call is not possible now.</summary>
        State = -3,
        /// <summary>As many requests wait as may.</summary>
        QueueFull = -4,
        /// <summary>The client was shut down.</summary>
        Shutdown = -5,
        /// <summary>The request was canceled.</summary>
        Canceled = -6,
        /// <summary>A time limit passed.</summary>
        Timeout = -7,
        /// <summary>The name of the host has no address.</summary>
        Dns = -8,
        /// <summary>No connection could be made.</summary>
        Connect = -9,
        /// <summary>The TLS handshake or its checks failed.</summary>
        Tls = -10,
        /// <summary>A proxy did not open the way.</summary>
        Proxy = -11,
        /// <summary>The response breaks HTTP.</summary>
        Protocol = -12,
        /// <summary>The connection failed or ended too early.</summary>
        Io = -13,
        /// <summary>The response is larger than its limit.</summary>
        TooLarge = -14,
        /// <summary>A redirect cannot be followed.</summary>
        Redirect = -15,
        /// <summary>The body of the request failed, or had another length than announced.</summary>
        RequestBody = -16,
        /// <summary>The content coding of the body is broken.</summary>
        Decode = -17,
        /// <summary>The file that the body goes to cannot be written.</summary>
        Output = -18,
        /// <summary>The downloaded file does not hash to what was asked for.</summary>
        Checksum = -19,
        /// <summary>The file changes on its server while it is downloaded.</summary>
        Changed = -20,
        /// <summary>The status is an error where a download needs a success.</summary>
        Status = -21,
        /// <summary>The engine cannot work, or the native library is missing.</summary>
        Runtime = -22,
        /// <summary>The engine panicked: a fault of this library.</summary>
        Panic = -23,
        /// <summary>Another thread does the same.</summary>
        Busy = -24
    }
}
