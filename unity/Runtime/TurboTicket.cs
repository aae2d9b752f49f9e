using System;
using System.Threading.Tasks;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>A request under way. It stays valid, and does nothing, when the request is over.</summary>
    public readonly struct TurboTicket
    {
        private readonly Operation operation;
        private readonly ulong user;

        internal TurboTicket(Operation operation, ulong user)
        {
            this.operation = operation;
            this.user = user;
        }

        /// <summary>Where the body of a request with <see cref="TurboRequest.WithStream"/> is written.</summary>
        public TurboUpload Upload
        {
            get { return new TurboUpload(operation, user); }
        }

        /// <summary>How far the request is, until its response is disposed; from any thread, without garbage.</summary>
        public TurboProgress Progress
        {
            get { return operation == null ? default(TurboProgress) : operation.Progress(user); }
        }

        /// <summary>Cancels the request, from any thread. Its task ends by the pump.</summary>
        public void Cancel()
        {
            if (operation != null)
            {
                operation.Cancel(user);
            }
        }

        /// <summary>Changes the priority of a request that waits. False says that it no longer does.</summary>
        public bool TrySetPriority(TurboPriority priority)
        {
            return operation != null && operation.TrySetPriority(user, priority);
        }
    }

    /// <summary>How far a request is, in bytes.</summary>
    public readonly struct TurboProgress
    {
        private readonly ThProgress native;

        internal TurboProgress(in ThProgress native)
        {
            this.native = native;
        }

        /// <summary>Bytes of the request's body that the system has taken, of the attempt that is under way.</summary>
        public long Sent { get { return (long)native.sent; } }
        /// <summary>How many there are, or -1.</summary>
        public long ToSend { get { return (long)native.to_send; } }
        /// <summary>Bytes of the response's body that have come; of a download those of the file.</summary>
        public long Received { get { return (long)native.received; } }
        /// <summary>How many there are, or -1.</summary>
        public long ToReceive { get { return (long)native.to_receive; } }
    }

    /// <summary>The body of a request while it is written: by one thread at a time.</summary>
    public readonly struct TurboUpload
    {
        private readonly Operation operation;
        private readonly ulong user;

        internal TurboUpload(Operation operation, ulong user)
        {
            this.operation = operation;
            this.user = user;
        }

        /// <summary>Writes all bytes; the task ends when they are taken. The memory is not to be changed before.</summary>
        /// <exception cref="TurboException">The exchange is over (<see cref="TurboError.State"/>).</exception>
        public ValueTask WriteAsync(ReadOnlyMemory<byte> source)
        {
            return Operation.WriteAsync(user, source);
        }

        /// <summary>Writes all bytes and waits until they are taken. Allowed on every thread.</summary>
        /// <exception cref="TurboException">The exchange is over (<see cref="TurboError.State"/>).</exception>
        public void Write(ReadOnlySpan<byte> source)
        {
            Operation.Write(user, source);
        }

        /// <summary>
        /// Ends the body. Without this call a request without an announced length never ends by itself. It does nothing if
        /// the exchange is over.
        /// </summary>
        public void Finish()
        {
            Operation.Finish(user, null);
        }

        /// <summary>Ends the body with trailer fields.</summary>
        public void Finish(TurboFields trailers)
        {
            Operation.Finish(user, trailers);
        }

        private Operation Operation
        {
            get
            {
                if (operation == null)
                {
                    throw new InvalidOperationException("This is not the upload of a request.");
                }
                return operation;
            }
        }

        internal TurboClient Client
        {
            get { return Operation.Client; }
        }

        /// <summary>Cancels the request.</summary>
        public void Cancel()
        {
            Operation.Cancel(user);
        }
    }
}
