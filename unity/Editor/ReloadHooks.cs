using System;
using TurboHttp.Unity;
using UnityEditor;

namespace TurboHttp.Editor
{
    /// <summary>
    /// Ends clients before the Editor unloads code and when play mode ends, and pumps them outside of play mode.
    /// </summary>
    [InitializeOnLoad]
    internal static class ReloadHooks
    {
        static ReloadHooks()
        {
            try
            {
                // What an earlier domain left, if nothing else has ended it.
                TurboRuntime.BeginEpoch();
            }
            catch (TurboException exception)
            {
                UnityEngine.Debug.LogWarning(exception.Message);
                return;
            }
            AssemblyReloadEvents.beforeAssemblyReload += TurboUnity.Reset;
            EditorApplication.playModeStateChanged += OnPlayMode;
            EditorApplication.update += OnUpdate;
            EditorApplication.quitting += TurboUnity.Reset;
        }

        private static void OnPlayMode(PlayModeStateChange change)
        {
            if (change == PlayModeStateChange.ExitingPlayMode)
            {
                TurboUnity.Reset();
            }
        }

        private static void OnUpdate()
        {
            if (!EditorApplication.isPlaying || EditorApplication.isPaused)
            {
                PlayerLoopPump.PumpAll();
            }
        }

#if UNITY_6000_5_OR_NEWER
        /// <summary>The newer Editors unload code by contexts, not by domains, and call this first.</summary>
        [global::Unity.Scripting.LifecycleManagement.OnCodeUnloading]
        private static void OnCodeUnloading()
        {
            TurboUnity.Reset();
            AssemblyReloadEvents.beforeAssemblyReload -= TurboUnity.Reset;
            EditorApplication.playModeStateChanged -= OnPlayMode;
            EditorApplication.update -= OnUpdate;
            EditorApplication.quitting -= TurboUnity.Reset;
        }
#endif
    }
}
