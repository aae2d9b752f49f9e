using System;
using System.IO;
using UnityEditor;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityEditor.SceneManagement;
using UnityEngine;

namespace TurboHttp.Validation
{
    /// <summary>
    /// Builds the player that runs the table: <c>-executeMethod TurboHttp.Validation.Build.Linux</c>, and so on. Each is built
    /// by IL2CPP with the stripping level High.
    /// </summary>
    public static class Build
    {
        private const string Scene = "Assets/Empty.unity";
        private const string OriginsVariable = "TURBOHTTP_TEST_ORIGINS";
        private const string OriginsFile = "Assets/Resources/turbohttp-origins.txt";

        public static void Linux()
        {
            Make(NamedBuildTarget.Standalone, BuildTarget.StandaloneLinux64, "Linux/validation");
        }

        public static void Windows()
        {
            Make(NamedBuildTarget.Standalone, BuildTarget.StandaloneWindows64, "Windows/validation.exe");
        }

        public static void MacOS()
        {
            Make(NamedBuildTarget.Standalone, BuildTarget.StandaloneOSX, "MacOS/validation.app");
        }

        public static void Android()
        {
            PlayerSettings.Android.targetArchitectures = AndroidArchitecture.ARM64;
            PlayerSettings.Android.forceInternetPermission = true;
            Make(NamedBuildTarget.Android, BuildTarget.Android, "Android/validation.apk");
        }

        /// <summary>A project of Xcode, which builds the rest.</summary>
        public static void IOS()
        {
            Make(NamedBuildTarget.iOS, BuildTarget.iOS, "IOS");
        }

        private static void Make(NamedBuildTarget named, BuildTarget target, string path)
        {
            PlayerSettings.companyName = "TurboHTTP";
            PlayerSettings.productName = "validation";
            PlayerSettings.runInBackground = true;
            PlayerSettings.SetApplicationIdentifier(named, "com.turbohttp.validation");
            PlayerSettings.SetScriptingBackend(named, ScriptingImplementation.IL2CPP);
            PlayerSettings.SetManagedStrippingLevel(named, ManagedStrippingLevel.High);
            WriteOrigins();
            EditorSceneManager.SaveScene(EditorSceneManager.NewScene(NewSceneSetup.EmptyScene, NewSceneMode.Single), Scene);
            BuildPlayerOptions options = new BuildPlayerOptions
            {
                scenes = new[] { Scene },
                target = target,
                targetGroup = named.ToBuildTargetGroup(),
                locationPathName = "Builds/" + path,
                // The table is in an assembly of tests.
                options = BuildOptions.IncludeTestAssemblies | BuildOptions.StrictMode
            };
            BuildReport report = BuildPipeline.BuildPlayer(options);
            Debug.Log("turbohttp-build: " + target + " " + report.summary.result);
            if (report.summary.result != BuildResult.Succeeded)
            {
                EditorApplication.Exit(1);
            }
        }

        /// <summary>A device has no environment: the line of the servers becomes a part of the build.</summary>
        private static void WriteOrigins()
        {
            string line = Environment.GetEnvironmentVariable(OriginsVariable);
            if (string.IsNullOrEmpty(line))
            {
                AssetDatabase.DeleteAsset(OriginsFile);
                return;
            }
            Directory.CreateDirectory(Path.GetDirectoryName(OriginsFile));
            File.WriteAllText(OriginsFile, line);
            AssetDatabase.ImportAsset(OriginsFile);
        }
    }
}
