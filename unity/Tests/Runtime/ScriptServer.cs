using System;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace TurboHttp.Tests
{
    /// <summary>A server that answers its first connection with fixed bytes, however wrong, and closes it.</summary>
    internal sealed class ScriptServer : IDisposable
    {
        private readonly TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly byte[] answer;
        private readonly Thread thread;

        internal ScriptServer(string answer)
        {
            this.answer = Encoding.ASCII.GetBytes(answer);
            listener.Start();
            thread = new Thread(Serve);
            thread.IsBackground = true;
            thread.Start();
        }

        internal string Url
        {
            get { return "http://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port + "/"; }
        }

        /// <summary>A URL of a port that nothing listens on.</summary>
        internal static string DeadUrl()
        {
            TcpListener closed = new TcpListener(IPAddress.Loopback, 0);
            closed.Start();
            int port = ((IPEndPoint)closed.LocalEndpoint).Port;
            closed.Stop();
            return "http://127.0.0.1:" + port + "/";
        }

        public void Dispose()
        {
            Stop(listener, thread);
        }

        /// <summary>
        /// Ends a server and its thread. Not every runtime ends an accept by closing its listener; a connection does everywhere.
        /// </summary>
        internal static void Stop(TcpListener listener, Thread thread)
        {
            using (TcpClient last = new TcpClient())
            {
                last.Connect(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
            }
            thread.Join(1000);
            listener.Stop();
        }

        private void Serve()
        {
            try
            {
                using (Socket socket = listener.AcceptSocket())
                {
                    ReadHead(socket);
                    socket.Send(answer);
                    socket.Shutdown(SocketShutdown.Send);
                    socket.Receive(new byte[1]);
                }
            }
            catch (SocketException)
            {
                // The test is over.
            }
            catch (InvalidOperationException)
            {
                // The test is over: the listener was disposed, or stopped before this thread came to accept.
            }
        }

        private static void ReadHead(Socket socket)
        {
            byte[] one = new byte[1];
            int newlines = 0;
            while (newlines < 2 && socket.Receive(one) == 1)
            {
                newlines = one[0] == '\n' ? newlines + 1 : one[0] == '\r' ? newlines : 0;
            }
        }
    }
}
