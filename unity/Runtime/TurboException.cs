using System;

namespace TurboHttp
{
    /// <summary>A request or a call that failed.</summary>
    public sealed class TurboException : Exception
    {
        /// <summary>Makes an exception without a timeline.</summary>
        public TurboException(TurboError code, string message) : this(code, message, default(TurboTimeline), null)
        {
        }

        /// <summary>Makes an exception that another one has caused.</summary>
        public TurboException(TurboError code, string message, Exception inner) : this(code, message, default(TurboTimeline), inner)
        {
        }

        internal TurboException(TurboError code, string message, TurboTimeline timeline, Exception inner)
            : base(string.IsNullOrEmpty(message) ? code.ToString() : message, inner)
        {
            Code = code;
            Timeline = timeline;
        }

        /// <summary>Why it failed.</summary>
        public TurboError Code { get; private set; }

        /// <summary>Where the time of the failed request went; all zero if no request was sent.</summary>
        public TurboTimeline Timeline { get; private set; }
    }
}
