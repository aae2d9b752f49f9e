using System;
using System.Collections.Generic;
using System.Threading;
using UnityEngine.LowLevel;
using UnityEngine.PlayerLoop;

namespace TurboHttp.Unity
{
    /// <summary>
    /// Pumps clients at the start of <see cref="EarlyUpdate"/>, once per frame, on the main thread. What awaits a request runs
    /// there, before any Update of the same frame.
    /// </summary>
    public static class PlayerLoopPump
    {
        private static readonly List<TurboClient> Clients = new List<TurboClient>();
        private static bool isInstalled;

        /// <summary>The thread that pumps, once it is known; 0 before.</summary>
        internal static int MainThread { get; set; }

        /// <summary>The most events of one client in one frame.</summary>
        public static int MaxEvents { get; set; } = 256;

        /// <summary>After how many milliseconds the pump of one client leaves the rest to the next frame; 0 is no limit.</summary>
        public static int MaxMilliseconds { get; set; } = 4;

        /// <summary>Pumps this client from now on. Called on the main thread.</summary>
        /// <exception cref="ArgumentException">The client has a background thread, or was made on another one.</exception>
        public static void Add(TurboClient client)
        {
            if (client == null)
            {
                throw new ArgumentNullException("client");
            }
            if (client.Mode != TurboMode.Pumped)
            {
                throw new ArgumentException("The client has a background thread; nothing pumps it.", "client");
            }
            if (!client.IsPumpThread)
            {
                throw new ArgumentException("The client was made on another thread, which alone could pump it.", "client");
            }
            Install();
            if (!Clients.Contains(client))
            {
                Clients.Add(client);
            }
        }

        /// <summary>Pumps all clients once: a frame. The Editor calls it outside of play mode.</summary>
        public static void PumpAll()
        {
            MainThread = Thread.CurrentThread.ManagedThreadId;
            for (int i = Clients.Count - 1; i >= 0; i--)
            {
                TurboClient client = Clients[i];
                if (!client.IsPumpThread)
                {
                    continue;
                }
                bool isEnded = client.IsEnded;
                try
                {
                    client.Pump(MaxEvents, MaxMilliseconds);
                }
                catch (Exception exception)
                {
                    UnityEngine.Debug.LogException(exception);
                }
                // A disposed client is pumped once more, for what awaits its last requests. A continuation may have
                // disposed of all clients, so the index is looked at again.
                if (isEnded && i < Clients.Count && ReferenceEquals(Clients[i], client))
                {
                    Clients.RemoveAt(i);
                }
                i = Math.Min(i, Clients.Count);
            }
        }

        /// <summary>Forgets all clients and leaves the player loop.</summary>
        internal static void Reset()
        {
            Clients.Clear();
            if (!isInstalled)
            {
                return;
            }
            isInstalled = false;
            PlayerLoopSystem loop = PlayerLoop.GetCurrentPlayerLoop();
            if (Change(ref loop, false))
            {
                PlayerLoop.SetPlayerLoop(loop);
            }
        }

        /// <summary>Puts our step into the player loop, also if another package has replaced the loop since.</summary>
        private static void Install()
        {
            PlayerLoopSystem loop = PlayerLoop.GetCurrentPlayerLoop();
            Change(ref loop, false);
            if (!Change(ref loop, true))
            {
                throw new InvalidOperationException("The player loop has no EarlyUpdate: call PlayerLoopPump.PumpAll once per frame.");
            }
            PlayerLoop.SetPlayerLoop(loop);
            isInstalled = true;
        }

        /// <summary>Adds our step at the start of EarlyUpdate, or removes it. Says whether something has changed.</summary>
        private static bool Change(ref PlayerLoopSystem loop, bool adds)
        {
            PlayerLoopSystem[] phases = loop.subSystemList;
            if (phases == null)
            {
                return false;
            }
            for (int i = 0; i < phases.Length; i++)
            {
                if (phases[i].type != typeof(EarlyUpdate))
                {
                    continue;
                }
                List<PlayerLoopSystem> steps = new List<PlayerLoopSystem>(phases[i].subSystemList ?? new PlayerLoopSystem[0]);
                int before = steps.Count;
                steps.RemoveAll(step => step.type == typeof(PlayerLoopPump));
                bool isChanged = adds || steps.Count != before;
                if (adds)
                {
                    steps.Insert(0, new PlayerLoopSystem { type = typeof(PlayerLoopPump), updateDelegate = PumpAll });
                }
                phases[i].subSystemList = steps.ToArray();
                return isChanged;
            }
            return false;
        }
    }
}
