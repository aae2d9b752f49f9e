using System;
using System.Text;

namespace TurboHttp.Tests
{
    /// <summary>SHA-256 (FIPS 180-4) without the library of the system, which not every runtime finds.</summary>
    internal static class Hash
    {
        private static readonly uint[] Primes = MakeConstants(64, 1.0 / 3);

        internal static string Sha256(string text)
        {
            return Sha256(Encoding.ASCII.GetBytes(text));
        }

        /// <summary>The hash in hexadecimal.</summary>
        internal static string Sha256(byte[] bytes)
        {
            byte[] padded = new byte[(bytes.Length + 8) / 64 * 64 + 64];
            bytes.CopyTo(padded, 0);
            padded[bytes.Length] = 0x80;
            ulong bits = (ulong)bytes.Length * 8;
            for (int i = 0; i < 8; i++)
            {
                padded[padded.Length - 1 - i] = (byte)(bits >> (8 * i));
            }
            uint[] state = MakeConstants(8, 0.5);
            for (int start = 0; start < padded.Length; start += 64)
            {
                AddBlock(state, padded, start);
            }
            StringBuilder text = new StringBuilder();
            foreach (uint word in state)
            {
                text.Append(word.ToString("x8"));
            }
            return text.ToString();
        }

        /// <summary>The first 32 bits of the fractions of roots of the first primes.</summary>
        private static uint[] MakeConstants(int count, double root)
        {
            uint[] constants = new uint[count];
            int found = 0;
            for (int number = 2; found < count; number++)
            {
                bool isPrime = true;
                for (int divisor = 2; divisor * divisor <= number && isPrime; divisor++)
                {
                    isPrime = number % divisor != 0;
                }
                if (isPrime)
                {
                    double value = Math.Pow(number, root);
                    constants[found] = (uint)((value - Math.Floor(value)) * 4294967296.0);
                    found++;
                }
            }
            return constants;
        }

        private static void AddBlock(uint[] state, byte[] bytes, int start)
        {
            uint[] words = new uint[64];
            for (int i = 0; i < 16; i++)
            {
                int at = start + 4 * i;
                words[i] = (uint)(bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]);
            }
            for (int i = 16; i < 64; i++)
            {
                uint low = Rotate(words[i - 15], 7) ^ Rotate(words[i - 15], 18) ^ (words[i - 15] >> 3);
                uint high = Rotate(words[i - 2], 17) ^ Rotate(words[i - 2], 19) ^ (words[i - 2] >> 10);
                words[i] = words[i - 16] + low + words[i - 7] + high;
            }
            uint[] work = (uint[])state.Clone();
            for (int i = 0; i < 64; i++)
            {
                Mix(work, words[i] + Primes[i]);
            }
            for (int i = 0; i < 8; i++)
            {
                state[i] += work[i];
            }
        }

        private static void Mix(uint[] work, uint word)
        {
            uint a = work[0];
            uint e = work[4];
            uint first = work[7] + (Rotate(e, 6) ^ Rotate(e, 11) ^ Rotate(e, 25)) + ((e & work[5]) ^ (~e & work[6])) + word;
            uint second = (Rotate(a, 2) ^ Rotate(a, 13) ^ Rotate(a, 22)) + ((a & work[1]) ^ (a & work[2]) ^ (work[1] & work[2]));
            Array.Copy(work, 0, work, 1, 7);
            work[4] += first;
            work[0] = first + second;
        }

        private static uint Rotate(uint word, int bits)
        {
            return word >> bits | word << (32 - bits);
        }
    }
}
