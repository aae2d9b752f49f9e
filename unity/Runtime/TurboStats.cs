using System;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>What a client has right now.</summary>
    public readonly struct TurboStats
    {
        private readonly ThStats native;

        internal TurboStats(in ThStats native)
        {
            this.native = native;
        }

        /// <summary>Requests that exist, from the submit until the response is disposed.</summary>
        public int Requests { get { return (int)native.requests; } }
        /// <summary>Requests whose exchange is not over.</summary>
        public int Tasks { get { return (int)native.tasks; } }
        /// <summary>Requests with events that were not pumped.</summary>
        public int Ready { get { return (int)native.ready; } }
        /// <summary>Requests that wait for a permit.</summary>
        public int Waiting { get { return (int)native.waiting; } }
        /// <summary>Requests that have one.</summary>
        public int Running { get { return (int)native.running; } }
        /// <summary>Open connections.</summary>
        public int Connections { get { return (int)native.connections; } }
        /// <summary>Those of them that are idle.</summary>
        public int IdleConnections { get { return (int)native.idle_connections; } }
        /// <summary>Bytes of bodies that wait for their readers.</summary>
        public long BodyBytes { get { return (long)native.body_bytes; } }
        /// <summary>The most bytes of one body that waited at once.</summary>
        public long BodyPeak { get { return (long)native.body_peak; } }
        /// <summary>Requests that were submitted.</summary>
        public long Submitted { get { return (long)native.submitted; } }
        /// <summary>Requests whose exchange is over.</summary>
        public long Done { get { return (long)native.done; } }
    }

    /// <summary>How everything ended that was inside when a client was shut down.</summary>
    public readonly struct CloseReport
    {
        private readonly ThCloseReport native;

        internal CloseReport(in ThCloseReport native)
        {
            this.native = native;
        }

        /// <summary>Components that could not be closed.</summary>
        public int Failures { get { return (int)native.failures; } }
        /// <summary>Requests that were inside.</summary>
        public long Accepted { get { return (long)native.accepted; } }
        /// <summary>Those of them that ended by themselves.</summary>
        public long Completed { get { return (long)native.completed; } }
        /// <summary>Those that were canceled, or refused while they waited.</summary>
        public long Canceled { get { return (long)native.canceled; } }
        /// <summary>Those whose wait took too long.</summary>
        public long Expired { get { return (long)native.expired; } }
        /// <summary>Those that the shutdown cut off.</summary>
        public long Aborted { get { return (long)native.aborted; } }
        /// <summary>From the call until nothing was inside.</summary>
        public TimeSpan Elapsed { get { return TurboTimeline.Time(native.elapsed_ns); } }
    }
}
