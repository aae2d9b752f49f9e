using System;

namespace TurboHttp.Tests
{
    /// <summary>The table as a program: the line of the program <c>origins</c>, and part of a name to run only some tests.</summary>
    internal static class Program
    {
        private static int Main(string[] arguments)
        {
            if (arguments.Length < 1)
            {
                Console.Error.WriteLine("usage: TurboHttp.Tests.exe ORIGINS [NAME]");
                return 2;
            }
            string filter = arguments.Length > 1 ? arguments[1] : null;
            return TestRunner.Run(arguments[0], filter, Console.WriteLine) == 0 ? 0 : 1;
        }
    }
}
