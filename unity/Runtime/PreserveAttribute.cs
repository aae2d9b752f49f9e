using System;

namespace TurboHttp
{
    /// <summary>Keeps a type from being stripped; a linker knows the attribute by its name.</summary>
    [AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Method | AttributeTargets.Constructor)]
    internal sealed class PreserveAttribute : Attribute
    {
    }
}
