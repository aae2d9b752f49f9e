using System;
using System.Collections.Generic;
using NUnit.Framework;

namespace TurboHttp.Tests
{
    /// <summary>
    /// The table as tests of Unity's test runner. The environment variable <c>TURBOHTTP_TEST_URL</c> has the URL that
    /// <c>turbohttp serve</c> prints.
    /// </summary>
    public sealed class TableTests
    {
        private static IEnumerable<string> Names()
        {
            foreach (TestCase test in TestTable.All)
            {
                yield return test.Name;
            }
        }

        [Test]
        public void Passes([ValueSource("Names")] string name)
        {
            string url = Environment.GetEnvironmentVariable("TURBOHTTP_TEST_URL");
            if (string.IsNullOrEmpty(url))
            {
                Assert.Ignore("TURBOHTTP_TEST_URL is not set: start `turbohttp serve` and set it to its URL.");
            }
            Ground.Url = url.TrimEnd('/');
            Array.Find(TestTable.All, test => test.Name == name).Body();
        }
    }
}
