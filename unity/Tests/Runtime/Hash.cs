using System;
using System.Security.Cryptography;
using System.Text;

namespace TurboHttp.Tests
{
    /// <summary>Hashes in hexadecimal.</summary>
    internal static class Hash
    {
        internal static string Sha256(byte[] bytes)
        {
            using (SHA256Managed hash = new SHA256Managed())
            {
                return BitConverter.ToString(hash.ComputeHash(bytes)).Replace("-", string.Empty).ToLowerInvariant();
            }
        }

        internal static string Sha256(string text)
        {
            return Sha256(Encoding.ASCII.GetBytes(text));
        }
    }
}
