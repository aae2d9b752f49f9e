using System;
using System.Threading;
using System.Threading.Tasks;
using System.Threading.Tasks.Sources;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// An HTTP client: connections, limits and priorities of its own. It is made once and used by any thread.
    /// </summary>
    /// <remarks>
    /// What awaits a request runs in <see cref="Pump(int, int)"/> on the thread that made the client
    /// (<see cref="TurboMode.Pumped"/>), or on the client's background thread (<see cref="TurboMode.Worker"/>), whatever
    /// synchronization context it was started in. Code that waits synchronously for a request on that thread waits forever.
    /// </remarks>
    public sealed partial class TurboClient : IDisposable
    {
        private static readonly TimeSpan DisposeWait = TimeSpan.FromMilliseconds(250);

        private readonly ClientHandle handle;
        private int isDisposed;

        /// <summary>Makes a client with the defaults, which has a background thread.</summary>
        public TurboClient() : this(new TurboClientOptions())
        {
        }

        /// <summary>Makes a client.</summary>
        /// <exception cref="TurboException">An option is wrong, or the native library is missing.</exception>
        public TurboClient(TurboClientOptions options)
        {
            if (options == null)
            {
                throw new ArgumentNullException("options");
            }
            NativeLoader.Check();
            Id = ClientFactory.Create(options, TurboRuntime.Owner);
            handle = new ClientHandle(Id);
            Name = options.Name ?? "turbohttp";
            Mode = options.Mode;
            Table = new OperationTable(this);
            Ready = new ReadyQueue();
            TurboRuntime.Add(this);
            if (Mode == TurboMode.Worker)
            {
                StartWorker();
            }
            else
            {
                pumpThread = Thread.CurrentThread.ManagedThreadId;
            }
        }

        /// <summary>The name of the options.</summary>
        public string Name { get; private set; }

        /// <summary>Which thread dispatches events.</summary>
        public TurboMode Mode { get; private set; }

        /// <summary>Whether the client was disposed.</summary>
        public bool IsDisposed
        {
            get { return Volatile.Read(ref isDisposed) != 0; }
        }

        internal uint Id { get; private set; }
        internal OperationTable Table { get; private set; }
        internal ReadyQueue Ready { get; private set; }

        /// <summary>
        /// Sends a request. The response is there when its head is, or, if its body goes to a file or to nothing, when the
        /// exchange is over. The caller disposes it. The token cancels the whole exchange, the body included.
        /// </summary>
        /// <remarks>The task is awaited once, as every <see cref="ValueTask{TResult}"/>. A failure is a
        /// <see cref="TurboException"/>, or <see cref="OperationCanceledException"/> if the token was canceled.</remarks>
        public ValueTask<TurboResponse> SendAsync(TurboRequest request, CancellationToken cancellation = default(CancellationToken))
        {
            TurboTicket ticket;
            return SendAsync(request, out ticket, cancellation);
        }

        /// <summary>Sends a request, and returns a ticket to change its priority, cancel it, or write its body.</summary>
        public ValueTask<TurboResponse> SendAsync(TurboRequest request, out TurboTicket ticket,
            CancellationToken cancellation = default(CancellationToken))
        {
            short version;
            Operation operation = Begin(request, out ticket, cancellation, out version);
            return new ValueTask<TurboResponse>(operation, version);
        }

        /// <summary>Starts a request and returns the source of its task with its version.</summary>
        internal Operation Begin(TurboRequest request, out TurboTicket ticket, CancellationToken cancellation, out short version)
        {
            if (request == null)
            {
                throw new ArgumentNullException("request");
            }
            ulong user;
            Operation operation = Table.Rent(out user);
            ticket = new TurboTicket(operation, user);
            if (cancellation.IsCancellationRequested)
            {
                version = operation.Refuse(user, new OperationCanceledException(cancellation));
            }
            else if (IsDisposed)
            {
                version = operation.Refuse(user, new TurboException(TurboError.Shutdown, "The client was disposed."));
            }
            else
            {
                version = operation.Start(request, user, cancellation);
            }
            return operation;
        }

        /// <summary>GETs a URL and reads its body as text of UTF-8.</summary>
        public async Task<string> GetStringAsync(string url, CancellationToken cancellation = default(CancellationToken))
        {
            using (TurboResponse response = await SendAsync(new TurboRequest(url), cancellation))
            {
                response.EnsureSuccess();
                return await response.ReadStringAsync();
            }
        }

        /// <summary>GETs a URL and reads its body.</summary>
        public async Task<byte[]> GetBytesAsync(string url, CancellationToken cancellation = default(CancellationToken))
        {
            using (TurboResponse response = await SendAsync(new TurboRequest(url), cancellation))
            {
                response.EnsureSuccess();
                return await response.ReadToEndAsync();
            }
        }

        /// <summary>Limits the requests of one origin at once; 0 is the client's limit again.</summary>
        public unsafe void SetHostLimit(string url, int limit)
        {
            byte[] bytes = Url(url);
            fixed (byte* first = bytes)
            {
                Require(NativeMethods.th_host_limit(Id, first, (uint)bytes.Length, (uint)Math.Max(0, limit)));
            }
        }

        /// <summary>Starts no request of this origin for a time.</summary>
        public unsafe void PauseHost(string url, TimeSpan time)
        {
            byte[] bytes = Url(url);
            fixed (byte* first = bytes)
            {
                Require(NativeMethods.th_host_pause(Id, first, (uint)bytes.Length, Text.Milliseconds(time)));
            }
        }

        /// <summary>Closes the idle connections and returns their number.</summary>
        public int CloseIdleConnections()
        {
            return Require(NativeMethods.th_client_close_idle(Id));
        }

        /// <summary>The cookies of the client as text in the format of Netscape, to be kept in a file.</summary>
        /// <exception cref="TurboException">The client keeps none (<see cref="TurboClientOptions.Cookies"/>).</exception>
        public unsafe string ExportCookies()
        {
            byte[] bytes = new byte[4096];
            while (true)
            {
                uint length;
                fixed (byte* first = bytes)
                {
                    Require(NativeMethods.th_cookies_export(Id, first, (uint)bytes.Length, &length));
                    if (length <= bytes.Length)
                    {
                        return Text.Utf8(first, length);
                    }
                }
                bytes = new byte[length];
            }
        }

        /// <summary>Adds cookies that <see cref="ExportCookies"/>, curl or a browser has written.</summary>
        /// <exception cref="TurboException">A line is no cookie, or the client keeps none.</exception>
        public unsafe void ImportCookies(string cookies)
        {
            byte[] bytes = Text.Encode(cookies);
            fixed (byte* first = bytes)
            {
                Require(NativeMethods.th_cookies_import(Id, first, (uint)bytes.Length));
            }
        }

        /// <summary>What the client has right now.</summary>
        public unsafe TurboStats Stats()
        {
            ThStats stats = default(ThStats);
            stats.struct_size = (uint)sizeof(ThStats);
            Require(NativeMethods.th_client_stats(Id, &stats));
            return new TurboStats(stats);
        }

        /// <summary>
        /// Disposes the client: every request fails with <see cref="TurboError.Shutdown"/>. What awaits one runs before this
        /// returns if this is the pumping thread outside of a pump, else by the next pump.
        /// </summary>
        public void Dispose()
        {
            Dispose(DisposeWait);
        }

        /// <summary>Disposes the client and waits at most this time for its tasks. Returns how many still run.</summary>
        public int Dispose(TimeSpan timeout)
        {
            if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            {
                return 0;
            }
            foreach (Operation operation in Table.Live())
            {
                operation.CloseViews();
            }
            int alive = handle.Destroy(Text.Milliseconds(timeout));
            TurboRuntime.Remove(this);
            foreach (Operation operation in Table.Live())
            {
                operation.OnClientGone();
            }
            Ready.Add(new Continuation(AbandonClose, this, ValueTaskSourceOnCompletedFlags.None));
            isEnded = true;
            RunAfterDispose();
            return alive;
        }

        private static byte[] Url(string url)
        {
            if (url == null)
            {
                throw new ArgumentNullException("url");
            }
            return Text.Encode(url);
        }

        private static int Require(int code)
        {
            if (code >= 0)
            {
                return code;
            }
            string text = code == NativeMethods.TH_STALE ? "The client was disposed." : Text.LastError();
            throw new TurboException((TurboError)code, text);
        }
    }
}
