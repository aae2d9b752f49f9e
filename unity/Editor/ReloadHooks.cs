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
                // What an earlier domain left, if nothing else has ended it. Code that Unity has initialized before may
                // have clients already, which belong to this domain.
                if (TurboRuntime.Snapshot().Length == 0)
                {
                    TurboRuntime.BeginEpoch();
                }
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
            // Again at the end: OnDestroy of the game's objects runs in between, and may have made a client.
            if (change == PlayModeStateChange.ExitingPlayMode || change == PlayModeStateChange.EnteredEditMode)
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
