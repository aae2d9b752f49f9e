using System;
using System.Runtime.InteropServices;

namespace TurboHttp.Native
{
    /// <summary>
    /// The owner of a native client. Its finalizer destroys a client that was never disposed, and does not wait.
    /// </summary>
    internal sealed class ClientHandle : SafeHandle
    {
        internal ClientHandle(uint id) : base(IntPtr.Zero, true)
        {
            SetHandle(new IntPtr(unchecked((int)id)));
        }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        /// <summary>Destroys the client, waits at most <paramref name="milliseconds"/>, and returns the tasks that still run.</summary>
        internal int Destroy(uint milliseconds)
        {
            uint id = unchecked((uint)handle.ToInt32());
            SetHandleAsInvalid();
            return id == 0 ? 0 : NativeMethods.th_client_destroy(id, milliseconds);
        }

        protected override bool ReleaseHandle()
        {
            return NativeMethods.th_client_destroy(unchecked((uint)handle.ToInt32()), 0) >= 0;
        }
    }
}
