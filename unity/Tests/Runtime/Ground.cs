using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    /// <summary>What the tests have in common.</summary>
    internal static class Ground
    {
        /// <summary>How long a test waits before it fails. Nothing is measured against it.</summary>
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

        /// <summary>The server in the clear.</summary>
        internal static string Url { get; private set; }
        /// <summary>The server over TLS whose certificate is signed by the authority of <see cref="RootPem"/>.</summary>
        internal static string TlsUrl { get { return Origin(1); } }
        /// <summary>The server over TLS whose certificate vouches for itself.</summary>
        internal static string UntrustedUrl { get { return Origin(2); } }
        /// <summary>The certificate of the test authority.</summary>
        internal static string RootPem
        {
            get { return "-----BEGIN CERTIFICATE-----\n" + Origin(3) + "\n-----END CERTIFICATE-----\n"; }
        }

        internal static string Note { get; set; }

        private static string[] origins = new string[0];

        /// <summary>Takes the line that the program <c>origins</c> prints.</summary>
        internal static void Use(string line)
        {
            origins = line.Trim().Split(' ');
            Url = origins[0].TrimEnd('/');
        }

        private static string Origin(int index)
        {
            if (index >= origins.Length)
            {
                throw new TestFailure("the line of the servers has " + origins.Length + " words, and 4 are needed");
            }
            return origins[index].TrimEnd('/');
        }

        internal static TurboClient Pumped()
        {
            return new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped });
        }

        internal static TurboRequest Get(string path)
        {
            return new TurboRequest(Url + path);
        }

        internal static void PumpUntil(TurboClient client, Func<bool> isDone)
        {
            Stopwatch watch = Stopwatch.StartNew();
            while (!isDone())
            {
                if (client.Pump() == 0)
                {
                    Thread.Sleep(1);
                }
                if (watch.Elapsed > Patience)
                {
                    throw new TestFailure("nothing happened for " + Patience);
                }
            }
        }

        internal static T Pump<T>(TurboClient client, Task<T> task)
        {
            PumpUntil(client, () => task.IsCompleted);
            return task.GetAwaiter().GetResult();
        }

        internal static void Pump(TurboClient client, Task task)
        {
            PumpUntil(client, () => task.IsCompleted);
            task.GetAwaiter().GetResult();
        }

        internal static void PumpAll(TurboClient client, List<Task> tasks)
        {
            PumpUntil(client, () => tasks.TrueForAll(task => task.IsCompleted));
        }

        internal static T Wait<T>(Task<T> task)
        {
            if (!task.Wait(Patience))
            {
                throw new TestFailure("nothing happened for " + Patience);
            }
            return task.Result;
        }

        internal static void Check(bool condition, string what)
        {
            if (!condition)
            {
                throw new TestFailure(what);
            }
        }

        internal static void Same(long expected, long found, string what)
        {
            if (expected != found)
            {
                throw new TestFailure(what + ": expected " + expected + ", found " + found);
            }
        }

        internal static void Same(string expected, string found, string what)
        {
            if (expected != found)
            {
                throw new TestFailure(what + ": expected '" + expected + "', found '" + found + "'");
            }
        }

        /// <summary>Runs something that has to throw this type, and returns the exception.</summary>
        internal static T Throws<T>(Action body, string what) where T : Exception
        {
            try
            {
                body();
            }
            catch (T exception)
            {
                return exception;
            }
            throw new TestFailure(what + ": nothing was thrown");
        }

        internal static TurboException Fails(TurboClient client, TurboRequest request, TurboError code)
        {
            TurboException exception = Throws<TurboException>(() => Pump(client, Complete(client, request)), "the request");
            Same(code.ToString(), exception.Code.ToString(), "the code of '" + exception.Message + "'");
            return exception;
        }

        /// <summary>Sends a request and reads its body.</summary>
        internal static async Task<byte[]> Complete(TurboClient client, TurboRequest request)
        {
            using (TurboResponse response = await client.SendAsync(request))
            {
                return await response.ReadToEndAsync();
            }
        }

        /// <summary>The content of the route /bytes of the loopback server.</summary>
        internal static void CheckPattern(byte[] bytes, int start, int count, long offset)
        {
            for (int i = 0; i < count; i++)
            {
                if (bytes[start + i] != (byte)((offset + i) % 251))
                {
                    throw new TestFailure("byte " + (offset + i) + " of the body is wrong");
                }
            }
        }

        internal static byte[] Pattern(int length)
        {
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++)
            {
                bytes[i] = (byte)(i % 251);
            }
            return bytes;
        }
    }
}
