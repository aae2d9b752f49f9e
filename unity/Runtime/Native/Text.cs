using System;
using System.Text;

namespace TurboHttp.Native
{
    /// <summary>Text between managed strings and native bytes.</summary>
    internal static unsafe class Text
    {
        internal static readonly byte[] Empty = new byte[0];

        /// <summary>Encodes as UTF-8; null and the empty string are the empty array.</summary>
        internal static byte[] Encode(string text)
        {
            return string.IsNullOrEmpty(text) ? Empty : Encoding.UTF8.GetBytes(text);
        }

        internal static string Utf8(byte* bytes, uint length)
        {
            return length == 0 ? string.Empty : Encoding.UTF8.GetString(bytes, checked((int)length));
        }

        /// <summary>Decodes each byte as the character of that number, which is how field values are read (RFC 9110, section 5.5).</summary>
        internal static string Latin1(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length == 0)
            {
                return string.Empty;
            }
            string text = new string('\0', bytes.Length);
            fixed (char* target = text)
            {
                for (int i = 0; i < bytes.Length; i++)
                {
                    target[i] = (char)bytes[i];
                }
            }
            return text;
        }

        /// <summary>Compares a lower-case native name with a managed one, without regard to ASCII case.</summary>
        internal static bool IsName(ReadOnlySpan<byte> lower, string name)
        {
            if (lower.Length != name.Length)
            {
                return false;
            }
            for (int i = 0; i < lower.Length; i++)
            {
                char c = name[i];
                if (c >= 'A' && c <= 'Z')
                {
                    c = (char)(c + 32);
                }
                if (lower[i] != c)
                {
                    return false;
                }
            }
            return true;
        }

        /// <summary>The text of the last failure on this thread.</summary>
        internal static string LastError()
        {
            byte* first = stackalloc byte[512];
            uint needed = NativeMethods.th_last_error(first, 512);
            if (needed <= 512)
            {
                return Utf8(first, needed);
            }
            byte[] longer = new byte[needed];
            fixed (byte* all = longer)
            {
                uint written = NativeMethods.th_last_error(all, needed);
                return Utf8(all, Math.Min(written, needed));
            }
        }

        /// <summary>The text of a request's failure.</summary>
        internal static string RequestError(uint client, ulong request)
        {
            byte* first = stackalloc byte[512];
            uint needed = NativeMethods.th_request_error(client, request, first, 512);
            if (needed <= 512)
            {
                return Utf8(first, needed);
            }
            byte[] longer = new byte[needed];
            fixed (byte* all = longer)
            {
                uint written = NativeMethods.th_request_error(client, request, all, needed);
                return Utf8(all, Math.Min(written, needed));
            }
        }

        /// <summary>The whole milliseconds of a time, from 0 to 2^32 - 1. A positive time is at least 1.</summary>
        internal static uint Milliseconds(TimeSpan time)
        {
            if (time <= TimeSpan.Zero)
            {
                return 0;
            }
            double milliseconds = Math.Ceiling(time.TotalMilliseconds);
            return milliseconds >= uint.MaxValue ? uint.MaxValue : (uint)milliseconds;
        }
    }
}
