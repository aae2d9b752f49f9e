using System;

namespace TurboHttp.Tests
{
    /// <summary>One test: a name and a static method, so that no reflection finds it.</summary>
    internal sealed class TestCase
    {
        internal TestCase(string name, Action body)
        {
            Name = name;
            Body = body;
        }

        internal string Name { get; private set; }
        internal Action Body { get; private set; }
    }

    /// <summary>A test says that something is not as it should be.</summary>
    internal sealed class TestFailure : Exception
    {
        internal TestFailure(string message) : base(message)
        {
        }
    }
}
