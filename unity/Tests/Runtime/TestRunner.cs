using System;
using System.Diagnostics;

namespace TurboHttp.Tests
{
    /// <summary>Runs the table and prints one line for each test and a summary.</summary>
    internal static class TestRunner
    {
        internal static int Run(string origins, string filter, Action<string> print)
        {
            Ground.Use(origins);
            int passed = 0;
            int failed = 0;
            foreach (TestCase test in TestTable.All)
            {
                if (filter != null && test.Name.IndexOf(filter, StringComparison.OrdinalIgnoreCase) < 0)
                {
                    continue;
                }
                Stopwatch watch = Stopwatch.StartNew();
                Ground.Note = null;
                try
                {
                    test.Body();
                    passed++;
                    print("ok     " + test.Name + " (" + watch.ElapsedMilliseconds + " ms)"
                        + (Ground.Note == null ? string.Empty : ": " + Ground.Note));
                }
                catch (Exception exception)
                {
                    failed++;
                    print("FAILED " + test.Name + ": " + exception);
                }
            }
            print("turbohttp-tests: " + passed + " passed, " + failed + " failed");
            return failed;
        }
    }
}
