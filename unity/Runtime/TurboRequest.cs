using System;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// A request. It can be sent any number of times, also while it is under way, since everything in it is copied by the
    /// call that sends it. Not for use by two threads at once while it changes.
    /// </summary>
    public sealed class TurboRequest
    {
        private string method = "GET";
        private string url = string.Empty;
        private string sinkPath;
        private string checksum;

        /// <summary>Makes a GET of this URL.</summary>
        public TurboRequest(string url)
        {
            Url = url;
        }

        /// <summary>Makes a request with this method.</summary>
        public TurboRequest(string method, string url)
        {
            Method = method;
            Url = url;
        }

        /// <summary>The method.</summary>
        /// <exception cref="ArgumentNullException">It is null.</exception>
        public string Method
        {
            get { return method; }
            set
            {
                if (value == null)
                {
                    throw new ArgumentNullException("value");
                }
                method = value;
                MethodBytes = value == "GET" ? Text.Empty : Text.Encode(value);
            }
        }

        /// <summary>The absolute URL.</summary>
        /// <exception cref="ArgumentNullException">It is null.</exception>
        public string Url
        {
            get { return url; }
            set
            {
                if (value == null)
                {
                    throw new ArgumentNullException("value");
                }
                url = value;
                UrlBytes = Text.Encode(value);
            }
        }

        /// <summary>The header fields.</summary>
        public TurboFields Headers { get; } = new TurboFields();

        /// <summary>How urgent it is.</summary>
        public TurboPriority Priority { get; set; } = TurboPriority.Normal;

        /// <summary>The time limit of the whole request; zero is the client's.</summary>
        public TimeSpan Timeout { get; set; }

        /// <summary>Bytes of the response that wait for their reader, 4 KiB to 64 MiB; 0 is the client's.</summary>
        public int BodyWindow { get; set; }

        internal byte[] MethodBytes { get; private set; } = Text.Empty;
        internal byte[] UrlBytes { get; private set; } = Text.Empty;
        internal uint BodyKind { get; private set; }
        internal byte[] Body { get; private set; } = Text.Empty;
        internal int BodyStart { get; private set; }
        internal int BodyCount { get; private set; }
        internal ulong BodyLength { get; private set; }
        internal uint SinkKind { get; private set; }
        internal byte[] SinkBytes { get; private set; } = Text.Empty;
        internal byte[] ChecksumBytes { get; private set; } = Text.Empty;
        internal uint Connections { get; private set; }

        /// <summary>Adds a header field and returns this request.</summary>
        public TurboRequest Header(string name, string value)
        {
            Headers.Add(name, value);
            return this;
        }

        /// <summary>Sends no body, which is the default.</summary>
        public TurboRequest WithoutBody()
        {
            return WithBody(NativeMethods.TH_BODY_NONE, Text.Empty, 0, 0);
        }

        /// <summary>Sends these bytes. The array is used, not copied, until the request is sent.</summary>
        /// <exception cref="ArgumentNullException">It is null.</exception>
        public TurboRequest WithBody(byte[] body)
        {
            if (body == null)
            {
                throw new ArgumentNullException("body");
            }
            return WithBody(NativeMethods.TH_BODY_BYTES, body, 0, body.Length);
        }

        /// <summary>Sends these bytes. The array is used, not copied, until the request is sent.</summary>
        /// <exception cref="ArgumentException">The segment has no array.</exception>
        public TurboRequest WithBody(ArraySegment<byte> body)
        {
            if (body.Array == null)
            {
                throw new ArgumentException("The segment has no array.", "body");
            }
            return WithBody(NativeMethods.TH_BODY_BYTES, body.Array, body.Offset, body.Count);
        }

        /// <summary>Sends this text as UTF-8, and says so in <c>content-type</c>.</summary>
        /// <exception cref="ArgumentNullException">An argument is null.</exception>
        public TurboRequest WithText(string body, string mediaType)
        {
            if (body == null)
            {
                throw new ArgumentNullException("body");
            }
            Headers.Set("content-type", mediaType + "; charset=utf-8");
            return WithBody(Text.Encode(body));
        }

        /// <summary>Sends this JSON text.</summary>
        /// <exception cref="ArgumentNullException">It is null.</exception>
        public TurboRequest WithJson(string json)
        {
            if (json == null)
            {
                throw new ArgumentNullException("json");
            }
            Headers.Set("content-type", "application/json");
            return WithBody(Text.Encode(json));
        }

        /// <summary>Sends the file of this path, which is read natively.</summary>
        /// <exception cref="ArgumentNullException">It is null.</exception>
        public TurboRequest WithFile(string path)
        {
            if (path == null)
            {
                throw new ArgumentNullException("path");
            }
            byte[] bytes = Text.Encode(path);
            return WithBody(NativeMethods.TH_BODY_FILE, bytes, 0, bytes.Length);
        }

        /// <summary>
        /// Sends what is written to the <see cref="TurboUpload"/> of <see cref="TurboTicket.Upload"/>, with a length if one is announced.
        /// </summary>
        /// <exception cref="ArgumentOutOfRangeException">The length is negative.</exception>
        public TurboRequest WithStream(long? length)
        {
            if (length.HasValue && length.Value < 0)
            {
                throw new ArgumentOutOfRangeException("length");
            }
            WithBody(NativeMethods.TH_BODY_STREAM, Text.Empty, 0, 0);
            BodyLength = length.HasValue ? (ulong)length.Value : ulong.MaxValue;
            return this;
        }

        /// <summary>Gives the body of the response to its reader, which is the default.</summary>
        public TurboRequest ToReader()
        {
            SinkKind = NativeMethods.TH_SINK_WINDOW;
            return this;
        }

        /// <summary>Reads the body of the response and drops it. The response is there when all of it was read.</summary>
        public TurboRequest ToNothing()
        {
            SinkKind = NativeMethods.TH_SINK_DROP;
            return this;
        }

        /// <summary>
        /// Writes the body of the response to this file natively. The response is there when the file is complete; an
        /// unfinished file is continued. A checksum is <c>sha256:HEX</c>, <c>sha512:HEX</c>, <c>md5:HEX</c> or
        /// <c>blake3:HEX</c>; null is none. Several connections can share the work; 0 is the default.
        /// </summary>
        /// <exception cref="ArgumentNullException">The path is null.</exception>
        public TurboRequest ToFile(string path, string expectedChecksum = null, int connections = 0)
        {
            if (path == null)
            {
                throw new ArgumentNullException("path");
            }
            SinkKind = NativeMethods.TH_SINK_FILE;
            if (path != sinkPath)
            {
                sinkPath = path;
                SinkBytes = Text.Encode(path);
            }
            if (expectedChecksum != checksum)
            {
                checksum = expectedChecksum;
                ChecksumBytes = Text.Encode(expectedChecksum);
            }
            Connections = (uint)Math.Max(0, connections);
            return this;
        }

        private TurboRequest WithBody(uint kind, byte[] bytes, int start, int count)
        {
            BodyKind = kind;
            Body = bytes;
            BodyStart = start;
            BodyCount = count;
            BodyLength = 0;
            return this;
        }
    }
}
