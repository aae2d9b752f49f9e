// The types of Unity that this package uses, as far as it uses them, so that a plain compiler checks it. No part of the
// package: Unity ignores folders that end in a tilde.
using System;

namespace UnityEngine
{
    public enum RuntimeInitializeLoadType
    {
        AfterSceneLoad,
        BeforeSceneLoad,
        AfterAssembliesLoaded,
        BeforeSplashScreen,
        SubsystemRegistration
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType loadType) { }
    }

    public static class Application
    {
#pragma warning disable 67
        public static event Action quitting;
#pragma warning restore 67

        public static string unityVersion { get { return null; } }
        public static RuntimePlatform platform { get { return default(RuntimePlatform); } }
        public static void Quit(int exitCode) { }

        /// <summary>Not of Unity: ends the game.</summary>
        public static void StubQuit()
        {
            Action handler = quitting;
            if (handler != null)
            {
                handler();
            }
        }
    }

    public static class Debug
    {
        public static void Log(object message) { }
        public static void LogWarning(object message) { }
        public static void LogException(Exception exception) { }
    }

    public class Object
    {
        public static void Destroy(Object target) { }
    }

    public class ScriptableObject : Object
    {
    }

    public class Component : Object
    {
    }

    public class Behaviour : Component
    {
        public bool enabled { get; set; }
    }

    public class MonoBehaviour : Behaviour
    {
    }

    public sealed class GameObject : Object
    {
        public GameObject(string name) { }
        public T AddComponent<T>() where T : Component { return null; }
    }

    public class TextAsset : Object
    {
        public string text { get { return null; } }
    }

    public sealed class Resources
    {
        public static T Load<T>(string path) where T : Object { return null; }
    }

    public enum RuntimePlatform
    {
        LinuxPlayer = 13
    }

    public class Texture : Object
    {
    }

    public class Texture2D : Texture
    {
        public Texture2D(int width, int height) { }
    }

    public static class ImageConversion
    {
        public static bool LoadImage(this Texture2D texture, byte[] data) { return true; }
    }

    public static class JsonUtility
    {
        public static T FromJson<T>(string json) { return default(T); }
    }

    public struct Vector2
    {
    }

    public struct Color
    {
        public Color(float r, float g, float b) { }
    }

    public struct Rect
    {
        public Rect(float x, float y, float width, float height) : this() { }
        public float x { get; set; }
        public float y { get; set; }
        public float width { get; set; }
        public float height { get; set; }
    }

    public class GUIStyle
    {
    }

    public class GUILayoutOption
    {
    }

    public static class GUI
    {
        public static bool Button(Rect position, string text, GUIStyle style) { return false; }
    }

    public static class GUILayout
    {
        public static void Label(string text, params GUILayoutOption[] options) { }
        public static bool Button(string text, GUIStyle style, params GUILayoutOption[] options) { return false; }
        public static void FlexibleSpace() { }
    }

#if UNITY_2023_1_OR_NEWER
    public sealed class Awaitable<T>
    {
    }

    public class AwaitableCompletionSource<T>
    {
        public Awaitable<T> Awaitable { get { return null; } }
        public bool TrySetResult(in T value) { return true; }
        public bool TrySetCanceled() { return true; }
        public bool TrySetException(Exception exception) { return true; }
    }
#endif
}

namespace UnityEngine.SceneManagement
{
    public struct Scene
    {
    }
}

namespace UnityEngine.LowLevel
{
    public struct PlayerLoopSystem
    {
        public delegate void UpdateFunction();

        public Type type;
        public PlayerLoopSystem[] subSystemList;
        public UpdateFunction updateDelegate;
    }

    public static class PlayerLoop
    {
        private static PlayerLoopSystem current = new PlayerLoopSystem
        {
            subSystemList = new[] { new PlayerLoopSystem { type = typeof(UnityEngine.PlayerLoop.EarlyUpdate) } }
        };

        public static PlayerLoopSystem GetCurrentPlayerLoop() { return current; }
        public static void SetPlayerLoop(PlayerLoopSystem loop) { current = loop; }
    }
}

namespace UnityEngine.PlayerLoop
{
    public struct EarlyUpdate
    {
    }
}
