using System;
using System.Runtime.InteropServices;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>How long each phase of a request took. Phases that did not happen are zero.</summary>
    public readonly struct TurboTimeline
    {
        private readonly ThTimeline native;

        internal TurboTimeline(in ThTimeline native)
        {
            this.native = native;
        }

        /// <summary>Whether the request has a timeline.</summary>
        public bool IsPresent { get { return native.attempts != 0 || native.total_ns != 0; } }
        /// <summary>Whether the connection was open already.</summary>
        public bool IsReused { get { return (native.flags & NativeMethods.TH_FLAG_REUSED) != 0; } }
        /// <summary>How often the request was sent.</summary>
        public int Attempts { get { return (int)native.attempts; } }
        /// <summary>Spans that had no room.</summary>
        public int DroppedSpans { get { return (int)native.dropped_events; } }
        /// <summary>The connection, 0 where there was none.</summary>
        public ulong ConnectionId { get { return native.connection_id; } }
        /// <summary>From the submit to the end.</summary>
        public TimeSpan Total { get { return Time(native.total_ns); } }
        /// <summary>Between two attempts.</summary>
        public TimeSpan Backoff { get { return Time(native.backoff_ns); } }
        /// <summary>While the host was paused.</summary>
        public TimeSpan Pause { get { return Time(native.pause_ns); } }
        /// <summary>For a permit of the host.</summary>
        public TimeSpan HostPermit { get { return Time(native.host_permit_ns); } }
        /// <summary>For a permit of the total.</summary>
        public TimeSpan TotalPermit { get { return Time(native.total_permit_ns); } }
        /// <summary>Looking up the name.</summary>
        public TimeSpan Dns { get { return Time(native.dns_ns); } }
        /// <summary>Opening the connection.</summary>
        public TimeSpan Connect { get { return Time(native.connect_ns); } }
        /// <summary>Asking a proxy for a tunnel.</summary>
        public TimeSpan Tunnel { get { return Time(native.tunnel_ns); } }
        /// <summary>The TLS handshake.</summary>
        public TimeSpan Tls { get { return Time(native.tls_ns); } }
        /// <summary>Sending head and body.</summary>
        public TimeSpan Send { get { return Time(native.send_ns); } }
        /// <summary>Waiting for the first byte of the response.</summary>
        public TimeSpan Wait { get { return Time(native.wait_ns); } }
        /// <summary>Receiving the rest.</summary>
        public TimeSpan Receive { get { return Time(native.receive_ns); } }

        /// <summary>Reads a time with the resolution of a <see cref="TimeSpan"/>, 100 ns.</summary>
        internal static TimeSpan Time(ulong nanoseconds)
        {
            return new TimeSpan((long)(nanoseconds / 100));
        }
    }

    /// <summary>One phase of one attempt.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public readonly struct TurboSpan
    {
        // The layout is that of ThTimelineEvent, so that the engine writes into an array of spans.
        private readonly uint phase;
        private readonly uint reserved;
        private readonly ulong start;
        private readonly ulong end;

        internal TurboSpan(uint phase, ulong start, ulong end)
        {
            this.phase = phase;
            reserved = 0;
            this.start = start;
            this.end = end;
        }

        /// <summary>The phase.</summary>
        public TurboPhase Phase { get { return (TurboPhase)(phase + reserved); } }
        /// <summary>When it began, from the submit.</summary>
        public TimeSpan Start { get { return TurboTimeline.Time(start); } }
        /// <summary>When it ended, from the submit.</summary>
        public TimeSpan End { get { return TurboTimeline.Time(end); } }
    }
}
