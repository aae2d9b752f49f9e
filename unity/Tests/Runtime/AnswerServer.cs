using System;
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace TurboHttp.Tests
{
    /// <summary>
    /// A server that answers each request by a function of its head, with bytes of any kind; none is no answer. It serves one
    /// connection after the other and closes each behind its answer.
    /// </summary>
    internal sealed class AnswerServer : IDisposable
    {
        private readonly TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
        private readonly Func<string, byte[]> answer;
        private readonly List<string> heads = new List<string>();
        private readonly Thread thread;
        private volatile bool isOver;

        internal AnswerServer(Func<string, byte[]> answer)
        {
            this.answer = answer;
            listener.Start();
            thread = new Thread(Serve);
            thread.IsBackground = true;
            thread.Start();
        }

        /// <summary>The URL, without a slash at its end.</summary>
        internal string Url
        {
            get { return "http://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port; }
        }

        /// <summary>The heads of the requests so far, in lower case.</summary>
        internal string[] Heads
        {
            get
            {
                lock (heads)
                {
                    return heads.ToArray();
                }
            }
        }

        /// <summary>An answer with a status line, fields (each with its end of line) and content.</summary>
        internal static byte[] Answer(string status, string fields, byte[] content)
        {
            byte[] head = Encoding.ASCII.GetBytes("HTTP/1.1 " + status + "\r\n" + fields + "content-length: "
                + content.Length + "\r\nconnection: close\r\n\r\n");
            byte[] all = new byte[head.Length + content.Length];
            head.CopyTo(all, 0);
            content.CopyTo(all, head.Length);
            return all;
        }

        internal static byte[] Answer(string status, string fields, string content)
        {
            return Answer(status, fields, Encoding.ASCII.GetBytes(content));
        }

        /// <summary>The value of a field in a head, or null.</summary>
        internal static string Field(string head, string name)
        {
            foreach (string line in head.Split('\n'))
            {
                if (line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
                {
                    return line.Substring(name.Length + 1).Trim();
                }
            }
            return null;
        }

        public void Dispose()
        {
            isOver = true;
            ScriptServer.Stop(listener, thread);
        }

        private void Serve()
        {
            try
            {
                while (!isOver)
                {
                    using (Socket socket = listener.AcceptSocket())
                    {
                        if (!isOver)
                        {
                            ServeOne(socket);
                        }
                    }
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

        private void ServeOne(Socket socket)
        {
            try
            {
                string head = ReadHead(socket);
                if (head.Length == 0)
                {
                    return;
                }
                lock (heads)
                {
                    heads.Add(head.ToLowerInvariant());
                }
                ReadContent(socket, head);
                byte[] bytes = answer(head);
                if (bytes == null)
                {
                    return;
                }
                socket.Send(bytes);
                socket.Shutdown(SocketShutdown.Send);
                socket.Receive(new byte[1]);
            }
            catch (SocketException)
            {
                // The client has closed the connection first.
            }
        }

        private static string ReadHead(Socket socket)
        {
            StringBuilder head = new StringBuilder();
            byte[] one = new byte[1];
            while (socket.Receive(one) == 1)
            {
                head.Append((char)one[0]);
                if (one[0] == '\n' && head.Length >= 4 && head[head.Length - 3] == '\n')
                {
                    return head.ToString();
                }
            }
            return string.Empty;
        }

        private static void ReadContent(Socket socket, string head)
        {
            string length = Field(head, "content-length");
            int left = length == null ? 0 : int.Parse(length, CultureInfo.InvariantCulture);
            byte[] buffer = new byte[4096];
            while (left > 0)
            {
                int count = socket.Receive(buffer, Math.Min(left, buffer.Length), SocketFlags.None);
                if (count == 0)
                {
                    return;
                }
                left -= count;
            }
        }
    }
}
