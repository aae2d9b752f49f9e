using System;
using System.Threading;
using System.Threading.Tasks;
using TurboHttp.Tests;
using TurboHttp.Unity;
using UnityEngine;

namespace TurboHttp.Validation
{
    /// <summary>
    /// Runs when the first scene is loaded: some requests by the pump in the real player loop, then the table of tests on a
    /// thread of its own, so that frames go on meanwhile. It prints the same summary line as everywhere, and quits.
    /// </summary>
    public sealed class Boot : MonoBehaviour
    {
        private const string Variable = "TURBOHTTP_TEST_ORIGINS";
        private const int LoopRequests = 20;

        private string origins;
        private int mainThread;
        private Thread table;
        private volatile bool isOver;
        private volatile int failed;

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.AfterSceneLoad)]
        private static void Begin()
        {
            new GameObject("TurboHttp.Validation").AddComponent<Boot>();
        }

        private async void Start()
        {
            try
            {
                mainThread = Thread.CurrentThread.ManagedThreadId;
                origins = Origins();
                Print("turbohttp-validation: Unity " + Application.unityVersion + ", " + Application.platform + ", " + Backend());
                await RunLoop(origins.Split(' ')[0].TrimEnd('/'));
                Print("turbohttp-player-loop: " + LoopRequests + " passed");
                TurboUnity.Reset();
                table = new Thread(RunTable);
                table.Start();
            }
            catch (Exception exception)
            {
                Print("turbohttp-player-loop: FAILED " + exception);
                failed++;
                isOver = true;
            }
        }

        private void Update()
        {
            if (isOver)
            {
                enabled = false;
                Application.Quit(failed == 0 ? 0 : 1);
            }
        }

        /// <summary>Each continuation runs on the main thread, in a frame of the player loop.</summary>
        private async Task RunLoop(string url)
        {
            for (int i = 0; i < LoopRequests; i++)
            {
                using (TurboResponse response = await TurboUnity.Shared.SendAsync(new TurboRequest(url + "/small")))
                {
                    Require(Thread.CurrentThread.ManagedThreadId == mainThread, "a continuation ran on another thread");
                    Require(await response.ReadStringAsync() == "Hello, world!", "the text is another");
                    Require(Thread.CurrentThread.ManagedThreadId == mainThread, "a read ended on another thread");
                }
            }
        }

        private void RunTable()
        {
            try
            {
                failed += TestRunner.Run(origins, null, Print);
            }
            catch (Exception exception)
            {
                Print("turbohttp-tests: FAILED " + exception);
                failed++;
            }
            isOver = true;
        }

        /// <summary>The line of the program <c>origins</c>: of the environment, or, on a device, of the build.</summary>
        private static string Origins()
        {
            string line = Environment.GetEnvironmentVariable(Variable);
            if (string.IsNullOrEmpty(line))
            {
                TextAsset built = Resources.Load<TextAsset>("turbohttp-origins");
                line = built == null ? null : built.text;
            }
            if (string.IsNullOrEmpty(line))
            {
                throw new InvalidOperationException(Variable + " is not set, and was not when this was built.");
            }
            return line.Trim();
        }

        private static string Backend()
        {
#if ENABLE_IL2CPP
            return "IL2CPP";
#else
            return "Mono";
#endif
        }

        private static void Require(bool condition, string what)
        {
            if (!condition)
            {
                throw new InvalidOperationException(what);
            }
        }

        private static void Print(string line)
        {
            Debug.Log(line);
        }
    }
}
