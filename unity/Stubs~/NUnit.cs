// See UnityEngine.cs.
using System;

namespace NUnit.Framework
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class ValueSourceAttribute : Attribute
    {
        public ValueSourceAttribute(string name) { }
    }

    public static class Assert
    {
        public static void Ignore(string message) { }
    }
}
