// See UnityEngine.cs.
using System;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityEngine;

namespace UnityEditor
{
    public enum BuildTarget
    {
        StandaloneOSX = 2,
        StandaloneWindows64 = 19,
        Android = 13,
        StandaloneLinux64 = 24,
        iOS = 9
    }

    public enum BuildTargetGroup
    {
        Unknown = 0,
        Standalone = 1,
        iOS = 4,
        Android = 7
    }

    [Flags]
    public enum BuildOptions
    {
        None = 0,
        IncludeTestAssemblies = 1 << 29,
        StrictMode = 1 << 21
    }

    public enum ScriptingImplementation
    {
        Mono2x,
        IL2CPP
    }

    public enum ManagedStrippingLevel
    {
        Disabled,
        Low,
        Medium,
        High
    }

    [Flags]
    public enum AndroidArchitecture : uint
    {
        None = 0,
        ARM64 = 2
    }

    public struct BuildPlayerOptions
    {
        public string[] scenes { get; set; }
        public string locationPathName { get; set; }
        public BuildTargetGroup targetGroup { get; set; }
        public BuildTarget target { get; set; }
        public BuildOptions options { get; set; }
    }

    public class BuildPipeline
    {
        public static BuildReport BuildPlayer(BuildPlayerOptions options) { return null; }
    }

    public class PlayerSettings : UnityEngine.Object
    {
        public static string companyName { get; set; }
        public static string productName { get; set; }
        public static bool runInBackground { get; set; }
        public static void SetApplicationIdentifier(NamedBuildTarget target, string identifier) { }
        public static void SetScriptingBackend(NamedBuildTarget target, ScriptingImplementation backend) { }
        public static void SetManagedStrippingLevel(NamedBuildTarget target, ManagedStrippingLevel level) { }

        public sealed class Android
        {
            public static AndroidArchitecture targetArchitectures { get; set; }
            public static bool forceInternetPermission { get; set; }
        }
    }

    public sealed class AssetDatabase
    {
        public static bool DeleteAsset(string path) { return false; }
        public static void ImportAsset(string path) { }
    }
}

namespace UnityEditor.Build
{
    public readonly struct NamedBuildTarget
    {
        public static readonly NamedBuildTarget Standalone;
        public static readonly NamedBuildTarget Android;
        public static readonly NamedBuildTarget iOS;
        public BuildTargetGroup ToBuildTargetGroup() { return BuildTargetGroup.Unknown; }
    }
}

namespace UnityEditor.Build.Reporting
{
    public enum BuildResult
    {
        Unknown,
        Succeeded,
        Failed,
        Cancelled
    }

    public struct BuildSummary
    {
        public BuildResult result { get { return BuildResult.Unknown; } }
    }

    public sealed class BuildReport : UnityEngine.Object
    {
        public BuildSummary summary { get { return default(BuildSummary); } }
    }
}

namespace UnityEditor.SceneManagement
{
    public enum NewSceneSetup
    {
        EmptyScene,
        DefaultGameObjects
    }

    public enum NewSceneMode
    {
        Single,
        Additive
    }

    public sealed class EditorSceneManager
    {
        public static UnityEngine.SceneManagement.Scene NewScene(NewSceneSetup setup, NewSceneMode mode)
        {
            return default(UnityEngine.SceneManagement.Scene);
        }

        public static bool SaveScene(UnityEngine.SceneManagement.Scene scene, string path) { return false; }
    }
}
