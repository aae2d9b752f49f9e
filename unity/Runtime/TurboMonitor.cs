using System;
using System.Collections.Generic;

namespace TurboHttp
{
    /// <summary>A request that is over, as a monitor shows it.</summary>
    public sealed class TurboRecord
    {
        private readonly TurboSpan[] spans;

        internal TurboRecord(string method, string url, int status, TurboError error, long received, TurboTimeline timeline,
            TurboSpan[] spans)
        {
            Method = method;
            Url = url;
            Status = status;
            Error = error;
            Received = received;
            Timeline = timeline;
            this.spans = spans;
        }

        /// <summary>The method.</summary>
        public string Method { get; private set; }
        /// <summary>The URL it was sent to.</summary>
        public string Url { get; private set; }
        /// <summary>The status, 0 where there was no response.</summary>
        public int Status { get; private set; }
        /// <summary>Why it failed, if it did.</summary>
        public TurboError Error { get; private set; }
        /// <summary>Bytes of the body.</summary>
        public long Received { get; private set; }
        /// <summary>Where the time went.</summary>
        public TurboTimeline Timeline { get; private set; }
        /// <summary>The phases of each attempt.</summary>
        public IReadOnlyList<TurboSpan> Spans { get { return spans; } }
    }

    /// <summary>
    /// The last requests of this domain with their timelines, for a window that shows them. It is off until it is enabled;
    /// a request is recorded when its response is disposed or its task fails.
    /// </summary>
    public static class TurboMonitor
    {
        /// <summary>How many requests are kept.</summary>
        public const int RecordsMax = 256;

        /// <summary>How many spans of a request are kept.</summary>
        internal const int SpansMax = 64;

        private static readonly object Gate = new object();
        private static readonly TurboRecord[] Records = new TurboRecord[RecordsMax];
        private static int next;
        private static int total;
        private static volatile bool isEnabled;

        /// <summary>Whether requests are recorded.</summary>
        public static bool IsEnabled
        {
            get { return isEnabled; }
            set { isEnabled = value; }
        }

        /// <summary>How many requests were recorded; a change says that there is something new.</summary>
        public static int Total
        {
            get
            {
                lock (Gate)
                {
                    return total;
                }
            }
        }

        /// <summary>The requests that are kept, the newest first.</summary>
        public static TurboRecord[] Snapshot()
        {
            lock (Gate)
            {
                int count = Math.Min(total, RecordsMax);
                TurboRecord[] all = new TurboRecord[count];
                for (int i = 0; i < count; i++)
                {
                    all[i] = Records[(next - 1 - i + RecordsMax) % RecordsMax];
                }
                return all;
            }
        }

        /// <summary>Forgets everything.</summary>
        public static void Clear()
        {
            lock (Gate)
            {
                Array.Clear(Records, 0, RecordsMax);
                next = 0;
                total = 0;
            }
        }

        internal static void Add(string method, string url, int status, TurboError error, long received, TurboTimeline timeline,
            ReadOnlySpan<TurboSpan> spans)
        {
            TurboRecord record = new TurboRecord(method, url, status, error, received, timeline, spans.ToArray());
            lock (Gate)
            {
                Records[next] = record;
                next = (next + 1) % RecordsMax;
                total++;
            }
        }
    }
}
