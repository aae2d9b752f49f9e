using System;
using System.Globalization;
using System.IO;

namespace TurboHttp.Tests
{
    /// <summary>Downloads to a file: gone on with, and checked.</summary>
    internal static class DownloadCases
    {
        /// <summary>Bytes of the file: enough that an unfinished one is kept.</summary>
        private const int Size = 4 * 1024 * 1024;

        private sealed class Folder : IDisposable
        {
            private readonly string path = Path.Combine(Path.GetTempPath(), "turbohttp-" + Guid.NewGuid().ToString("N"));

            internal Folder()
            {
                Directory.CreateDirectory(path);
            }

            internal string File
            {
                get { return Path.Combine(path, "file"); }
            }

            internal int Count
            {
                get { return Directory.GetFiles(path).Length; }
            }

            public void Dispose()
            {
                Directory.Delete(path, true);
            }
        }

        private static void CheckFile(Folder folder)
        {
            byte[] bytes = File.ReadAllBytes(folder.File);
            Ground.Same(Size, bytes.Length, "the length of the file");
            Ground.CheckPattern(bytes, 0, bytes.Length, 0);
            Ground.Same(1, folder.Count, "files");
        }

        private static string Checksum()
        {
            return "sha256:" + Hash.Sha256(Ground.Pattern(Size));
        }

        internal static void RightChecksum()
        {
            using (Folder folder = new Folder())
            using (TurboClient client = Ground.Pumped())
            {
                TurboRequest request = Ground.Get("/bytes/" + Size).ToFile(folder.File, Checksum());
                using (TurboResponse response = Ground.Pump(client, client.SendAsync(request).AsTask()))
                {
                    Ground.Check(response.Status == 200 && !response.IsResumed, "the response");
                    Ground.Same(Size, response.ContentReceived, "bytes");
                }
                CheckFile(folder);
            }
        }

        internal static void WrongChecksum()
        {
            using (Folder folder = new Folder())
            using (TurboClient client = Ground.Pumped())
            {
                string wrong = "sha256:" + new string('0', 64);
                Ground.Fails(client, Ground.Get("/bytes/" + Size).ToFile(folder.File, wrong), TurboError.Checksum);
                Ground.Check(!File.Exists(folder.File), "a wrong file is there");
                Ground.Fails(client, Ground.Get("/bytes/1").ToFile(folder.File, "sha256:00"), TurboError.Argument);
                Ground.Fails(client, Ground.Get("/status/404").ToFile(folder.File), TurboError.Status);
                Ground.Fails(client, new TurboRequest("POST", Ground.Url + "/post").ToFile(folder.File), TurboError.Argument);
            }
        }

        /// <summary>The first answer ends too early, and the rest is refused; another client asks for it by a range.</summary>
        internal static void Resumed()
        {
            byte[] all = Ground.Pattern(Size);
            bool refuses = true;
            using (Folder folder = new Folder())
            using (AnswerServer server = new AnswerServer(head => Ranges(all, head, refuses)))
            {
                TurboRequest request = new TurboRequest(server.Url).ToFile(folder.File, Checksum(), 1);
                using (TurboClient first = Ground.Pumped())
                {
                    Ground.Fails(first, request, TurboError.Status);
                }
                refuses = false;
                Ground.Check(!File.Exists(folder.File), "an unfinished file has the name of a finished one");
                using (TurboClient second = Ground.Pumped())
                using (TurboResponse response = Ground.Pump(second, second.SendAsync(request).AsTask()))
                {
                    Ground.Check(response.IsResumed, "the download began anew");
                }
                CheckFile(folder);
                string[] heads = server.Heads;
                string range = AnswerServer.Field(heads[heads.Length - 1], "range");
                Ground.Check(range != null && range != "bytes=0-", "the range that was asked for: " + range);
                Ground.Note = range;
            }
        }

        private static byte[] Ranges(byte[] all, string head, bool refuses)
        {
            const string Fields = "etag: \"v1\"\r\naccept-ranges: bytes\r\n";
            string range = AnswerServer.Field(head, "range");
            int start = range == null ? 0
                : int.Parse(range.Substring("bytes=".Length).Split('-')[0], CultureInfo.InvariantCulture);
            if (start > 0)
            {
                if (refuses)
                {
                    return AnswerServer.Answer("404 Not Found", string.Empty, string.Empty);
                }
                byte[] rest = new byte[all.Length - start];
                Buffer.BlockCopy(all, start, rest, 0, rest.Length);
                string position = "content-range: bytes " + start + "-" + (all.Length - 1) + "/" + all.Length + "\r\n";
                return AnswerServer.Answer("206 Partial Content", Fields + position, rest);
            }
            byte[] whole = AnswerServer.Answer("200 OK", Fields, all);
            Array.Resize(ref whole, whole.Length - all.Length / 2);
            return whole;
        }
    }
}
