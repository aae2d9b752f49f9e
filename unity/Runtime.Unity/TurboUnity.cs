using System;
using UnityEngine;

namespace TurboHttp.Unity
{
    /// <summary>Clients for Unity: what awaits a request runs on the main thread, in the frame its event is pumped in.</summary>
    public static class TurboUnity
    {
        private static readonly TimeSpan DisposeWait = TimeSpan.FromMilliseconds(100);
        private static TurboClient shared;

        /// <summary>A client with the defaults, made when it is first asked for, on the main thread.</summary>
        public static TurboClient Shared
        {
            get
            {
                if (shared == null || shared.IsDisposed)
                {
                    shared = CreateClient(new TurboClientOptions { Name = "shared" });
                }
                return shared;
            }
        }

        /// <summary>Makes a client that is pumped once per frame. Called on the main thread.</summary>
        public static TurboClient CreateClient(TurboClientOptions options)
        {
            if (options == null)
            {
                throw new ArgumentNullException("options");
            }
            options.Mode = TurboMode.Pumped;
            TurboClient client = new TurboClient(options);
            PlayerLoopPump.Add(client);
            // Again, since code of the Editor makes clients outside of a run.
            TurboRuntime.UnhandledException -= Debug.LogException;
            TurboRuntime.UnhandledException += Debug.LogException;
            return client;
        }

        /// <summary>Disposes all clients and resets the statics. Safe to call at any time, on the main thread.</summary>
        public static void Reset()
        {
            TurboRuntime.DisposeAll(DisposeWait);
            PlayerLoopPump.Reset();
            shared = null;
            Application.quitting -= Reset;
            TurboRuntime.UnhandledException -= Debug.LogException;
        }

        /// <summary>Begins a run of the game, also if the domain of the last run stays loaded.</summary>
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void Begin()
        {
            Reset();
#if !UNITY_EDITOR
            TurboRuntime.BeginEpoch();
#endif
            Application.quitting += Reset;
            TurboRuntime.UnhandledException += Debug.LogException;
        }
    }
}
