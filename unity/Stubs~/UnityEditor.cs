// See UnityEngine.cs.
using System;
using UnityEngine;

#pragma warning disable 67

namespace UnityEditor
{
    public enum PlayModeStateChange
    {
        EnteredEditMode,
        ExitingEditMode,
        EnteredPlayMode,
        ExitingPlayMode
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class InitializeOnLoadAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MenuItemAttribute : Attribute
    {
        public MenuItemAttribute(string path) { }
    }

    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback beforeAssemblyReload;
    }

    public static class EditorApplication
    {
        public delegate void CallbackFunction();

        public static CallbackFunction update;
        public static event Action<PlayModeStateChange> playModeStateChanged;
        public static event Action quitting;
        public static bool isPlaying { get; set; }
        public static bool isPaused { get; set; }
        public static void Exit(int returnValue) { }

        /// <summary>Not of Unity: play mode changes.</summary>
        public static void StubChange(PlayModeStateChange change)
        {
            Action<PlayModeStateChange> handler = playModeStateChanged;
            if (handler != null)
            {
                handler(change);
            }
        }
    }

    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title) where T : EditorWindow { return null; }
        public void Repaint() { }
    }

    public static class EditorStyles
    {
        public static GUIStyle toolbar { get { return null; } }
        public static GUIStyle toolbarButton { get { return null; } }
        public static GUIStyle label { get { return null; } }
        public static GUIStyle boldLabel { get { return null; } }
    }

    public static class EditorGUI
    {
        public static void DrawRect(Rect rect, Color color) { }
    }

    public static class EditorGUILayout
    {
        public static Rect BeginHorizontal(GUIStyle style, params GUILayoutOption[] options) { return default(Rect); }
        public static void EndHorizontal() { }
        public static Vector2 BeginScrollView(Vector2 scroll, params GUILayoutOption[] options) { return scroll; }
        public static void EndScrollView() { }
        public static Rect GetControlRect(bool hasLabel, float height, params GUILayoutOption[] options) { return default(Rect); }
        public static void LabelField(string label, GUIStyle style, params GUILayoutOption[] options) { }
        public static void LabelField(string label, string text, params GUILayoutOption[] options) { }
    }
}

#if UNITY_6000_5_OR_NEWER
namespace Unity.Scripting.LifecycleManagement
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class OnCodeUnloadingAttribute : Attribute
    {
    }
}
#endif
