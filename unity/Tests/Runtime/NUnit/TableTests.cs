using System;
using System.Collections.Generic;
using NUnit.Framework;

namespace TurboHttp.Tests
{
    /// <summary>
    /// The table as tests of Unity's test runner. The environment variable <c>TURBOHTTP_TEST_ORIGINS</c> has the line that
    /// the program <c>origins</c> prints.
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
            string line = Environment.GetEnvironmentVariable("TURBOHTTP_TEST_ORIGINS");
            if (string.IsNullOrEmpty(line))
            {
                Assert.Ignore("TURBOHTTP_TEST_ORIGINS is not set: it is the line of the program origins.");
            }
            Ground.Use(line);
            Array.Find(TestTable.All, test => test.Name == name).Body();
        }
    }
}
