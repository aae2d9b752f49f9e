using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Unity;
using UnityEditor;
using UnityEngine;
using UnityEngine.LowLevel;
using UnityEngine.PlayerLoop;

namespace TurboHttp.Tests
{
    /// <summary>The pump and the hooks of the Editor, driven by the stubs of Unity's types: frames, play mode, quitting.</summary>
    internal static class UnityProgram
    {
        private static string url;

        private static int Main(string[] arguments)
        {
            url = arguments[0].TrimEnd('/');
            Action[] tests =
            {
                ClientBeforeHooks, Frames, ReplacedLoop, OtherThread, DisposedElsewhere, RetryWhileEnding, PlayModeEnds, Quits
            };
            int failed = 0;
            foreach (Action test in tests)
            {
                try
                {
                    test();
                    TurboUnity.Reset();
                    Check(TurboRuntime.NativeClients == 0, "native clients are left: " + TurboRuntime.NativeClients);
                }
                catch (Exception exception)
                {
                    failed++;
                    Console.WriteLine("FAILED " + test.Method.Name + ": " + exception);
                    TurboUnity.Reset();
                }
            }
            Console.WriteLine("turbohttp-unity: " + (tests.Length - failed) + " passed, " + failed + " failed");
            return failed;
        }

        private static void Check(bool condition, string what)
        {
            if (!condition)
            {
                throw new InvalidOperationException(what);
            }
        }

        /// <summary>Runs the step of the pump in the player loop. Says whether there is one.</summary>
        private static bool Frame()
        {
            foreach (PlayerLoopSystem phase in PlayerLoop.GetCurrentPlayerLoop().subSystemList)
            {
                foreach (PlayerLoopSystem step in phase.subSystemList ?? new PlayerLoopSystem[0])
                {
                    if (step.type == typeof(PlayerLoopPump))
                    {
                        step.updateDelegate();
                        return true;
                    }
                }
            }
            return false;
        }

        private static void FramesUntil(Func<bool> isDone, string what)
        {
            for (int i = 0; !isDone(); i++)
            {
                Check(i < 20000, what + " does not happen");
                Check(Frame(), "the pump is not in the player loop");
                Thread.Sleep(i < 100 ? 0 : 1);
            }
        }

        private static Task<TurboResponse> Send(TurboClient client, string path)
        {
            return client.SendAsync(new TurboRequest(url + path)).AsTask();
        }

        private static void Get(TurboClient client)
        {
            Task<string> text = client.GetStringAsync(url + "/small");
            FramesUntil(() => text.IsCompleted, "the response");
            Check(text.Result == "Hello, world!", "the text");
        }

        /// <summary>Code that the Editor has initialized before the hooks keeps its client.</summary>
        private static void ClientBeforeHooks()
        {
            TurboClient early = TurboUnity.CreateClient(new TurboClientOptions());
            Type hooks = Assembly.Load("TurboHttp.Editor").GetType("TurboHttp.Editor.ReloadHooks", true);
            RuntimeHelpers.RunClassConstructor(hooks.TypeHandle);
            Get(early);
        }

        private static void Frames()
        {
            TurboClient first = TurboUnity.Shared;
            Check(ReferenceEquals(first, TurboUnity.Shared), "the shared client");
            Get(first);
            Get(TurboUnity.CreateClient(new TurboClientOptions { Name = "second" }));
        }

        /// <summary>Another package sets a loop of its own; the next client brings the pump back.</summary>
        private static void ReplacedLoop()
        {
            Get(TurboUnity.Shared);
            PlayerLoop.SetPlayerLoop(new PlayerLoopSystem
            {
                subSystemList = new[] { new PlayerLoopSystem { type = typeof(EarlyUpdate) } }
            });
            Check(!Frame(), "the pump is in the loop that was replaced");
            Get(TurboUnity.CreateClient(new TurboClientOptions()));
            Get(TurboUnity.Shared);
        }

        private static void OtherThread()
        {
            Get(TurboUnity.Shared);
            List<Exception> thrown = new List<Exception>();
            TurboClient other = null;
            Thread thread = new Thread(() =>
            {
                try
                {
                    TurboUnity.CreateClient(new TurboClientOptions());
                }
                catch (InvalidOperationException exception)
                {
                    thrown.Add(exception);
                }
                other = new TurboClient(new TurboClientOptions { Mode = TurboMode.Pumped });
            });
            thread.Start();
            thread.Join();
            try
            {
                PlayerLoopPump.Add(other);
            }
            catch (ArgumentException exception)
            {
                thrown.Add(exception);
            }
            Check(thrown.Count == 2, "clients that nothing would pump: " + thrown.Count + " of 2 were refused");
        }

        /// <summary>Another thread disposes of clients while frames go on: what awaits their requests runs in a frame.</summary>
        private static void DisposedElsewhere()
        {
            for (int i = 0; i < 100; i++)
            {
                TurboClient client = TurboUnity.CreateClient(new TurboClientOptions());
                Task<TurboResponse> waiting = Send(client, "/never");
                Frame();
                Thread thread = new Thread(client.Dispose);
                thread.Start();
                FramesUntil(() => waiting.IsCompleted, "the end of request " + i);
                Check(waiting.IsFaulted, "the request");
                thread.Join();
            }
        }

        /// <summary>A continuation tries again with a new client while everything ends.</summary>
        private static void RetryWhileEnding()
        {
            List<Exception> thrown = new List<Exception>();
            Task retrying = Retry(thrown);
            TurboUnity.Reset();
            Check(retrying.IsCompleted && thrown.Count == 1, "the second attempt");
            TurboException second = thrown[0] as TurboException;
            Check(second != null && second.Code == TurboError.Shutdown, "the second attempt: " + thrown[0]);
            Check(TurboRuntime.Snapshot().Length == 0, "a client was made while everything ended");
            Get(TurboUnity.Shared);
        }

        private static async Task Retry(List<Exception> thrown)
        {
            try
            {
                await TurboUnity.Shared.SendAsync(new TurboRequest(url + "/never"));
            }
            catch (TurboException)
            {
                try
                {
                    await TurboUnity.Shared.SendAsync(new TurboRequest(url + "/never"));
                }
                catch (Exception exception)
                {
                    thrown.Add(exception);
                }
            }
        }

        /// <summary>Play mode ends, and a client is made by what runs at its end; in edit mode the Editor pumps.</summary>
        private static void PlayModeEnds()
        {
            TurboClient played = TurboUnity.Shared;
            Task<TurboResponse> waiting = Send(played, "/never");
            EditorApplication.isPlaying = true;
            EditorApplication.StubChange(PlayModeStateChange.ExitingPlayMode);
            Check(played.IsDisposed && waiting.IsFaulted, "the client of play mode");
            TurboClient late = TurboUnity.Shared;
            EditorApplication.isPlaying = false;
            EditorApplication.StubChange(PlayModeStateChange.EnteredEditMode);
            Check(late.IsDisposed, "a client that was made at the end of play mode lives on");
            Task<string> text = TurboUnity.Shared.GetStringAsync(url + "/small");
            for (int i = 0; i < 20000 && !text.IsCompleted; i++)
            {
                EditorApplication.update();
                Thread.Sleep(1);
            }
            Check(text.IsCompleted, "the Editor does not pump outside of play mode");
        }

        private static void Quits()
        {
            // What Unity calls when a run begins.
            const BindingFlags Hidden = BindingFlags.Static | BindingFlags.NonPublic;
            TurboClient before = TurboUnity.Shared;
            typeof(TurboUnity).GetMethod("Begin", Hidden).Invoke(null, null);
            Check(before.IsDisposed, "a client of the run before, whose domain stays loaded");
            TurboClient client = TurboUnity.Shared;
            Task<TurboResponse> waiting = Send(client, "/never");
            Application.StubQuit();
            Check(client.IsDisposed && waiting.IsFaulted, "the client of a game that has quit");
        }
    }
}
