using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace TurboHttp.Tests
{
    internal static class EndCases
    {
        private const int InFlight = 20;

        private static List<Task> Start(TurboClient client, string path)
        {
            List<Task> tasks = new List<Task>();
            for (int i = 0; i < InFlight; i++)
            {
                tasks.Add(Ground.Complete(client, Ground.Get(path)));
            }
            return tasks;
        }

        private static void CheckFaulted(List<Task> tasks)
        {
            foreach (Task task in tasks)
            {
                Ground.Check(task.IsFaulted, "a request is not faulted: " + task.Status);
                TurboError code = ((TurboException)task.Exception.InnerException).Code;
                Ground.Check(code == TurboError.Shutdown || code == TurboError.Canceled, "the code of a request: " + code);
            }
        }

        internal static void ShutdownInFlight()
        {
            using (TurboClient client = Ground.Pumped())
            {
                List<Task> tasks = Start(client, "/never");
                Ground.PumpUntil(client, () => client.Stats().Running == InFlight);
                CloseReport report = client.Shutdown(TurboShutdown.Now, TimeSpan.FromSeconds(5));
                Ground.PumpAll(client, tasks);
                CheckFaulted(tasks);
                Ground.Same(InFlight, report.Accepted, "requests that were inside");
                Ground.Same(InFlight, report.Canceled + report.Aborted, "requests cut off");
                Ground.Note = "closed in " + report.Elapsed.TotalMilliseconds + " ms";
                Ground.Fails(client, Ground.Get("/small"), TurboError.Shutdown);
            }
        }

        internal static void ShutdownDrains()
        {
            using (TurboClient client = Ground.Pumped())
            {
                List<Task> tasks = Start(client, "/delay/500");
                Ground.PumpUntil(client, () => client.Stats().Running == InFlight);
                Task<CloseReport> closing = client.ShutdownAsync(TurboShutdown.Drain, TimeSpan.FromSeconds(20));
                CloseReport report = Ground.Pump(client, closing);
                Ground.PumpAll(client, tasks);
                tasks.ForEach(task => task.GetAwaiter().GetResult());
                Ground.Same(InFlight, report.Completed, "requests that ended by themselves");
            }
        }

        internal static void DisposeInFlight()
        {
            TurboClient client = Ground.Pumped();
            List<Task> tasks = Start(client, "/never");
            List<Task> waiting = Start(client, "/delay/1000");
            client.Dispose();
            CheckFaulted(tasks);
            CheckFaulted(waiting);
            client.Dispose();
        }

        internal static void DisposeInContinuation()
        {
            TurboClient client = Ground.Pumped();
            List<Task> tasks = Start(client, "/never");
            Task<byte[]> first = DisposeAfter(client);
            Ground.PumpUntil(client, () => first.IsCompleted);
            Ground.PumpAll(client, tasks);
            CheckFaulted(tasks);
        }

        private static async Task<byte[]> DisposeAfter(TurboClient client)
        {
            byte[] body = await Ground.Complete(client, Ground.Get("/small"));
            client.Dispose();
            return body;
        }

        internal static void NextEpoch()
        {
            using (TurboClient pumped = Ground.Pumped())
            using (TurboClient worker = new TurboClient())
            {
                List<Task> tasks = Start(pumped, "/never");
                List<Task> others = Start(worker, "/never");
                Ground.Same(2, TurboRuntime.BeginEpoch(), "clients destroyed");
                Ground.PumpAll(pumped, tasks);
                Ground.PumpUntil(pumped, () => others.TrueForAll(task => task.IsCompleted));
                CheckFaulted(tasks);
                CheckFaulted(others);
                Ground.Check(pumped.IsDisposed && worker.IsDisposed, "the clients are not disposed");
            }
        }

        internal static void LeakedClients()
        {
            int before = TurboRuntime.NativeClients;
            Thread thread = new Thread(Leak);
            thread.Start();
            thread.Join();
            Ground.Check(TurboRuntime.NativeClients >= before + 1, "clients that leak");
            for (int i = 0; i < 200 && TurboRuntime.NativeClients > before; i++)
            {
                // Garbage on the stack of this thread and a collector that is conservative: both go away by doing something.
                Thread other = new Thread(Collect);
                other.Start();
                other.Join();
                Thread.Sleep(1);
            }
            int left = TurboRuntime.NativeClients - before;
            Ground.Check(left <= 1, "clients that are left: " + left);
            // A collector that is conservative may keep one for a number on a stack. The next epoch takes it.
            Ground.Note = "the finalizer left " + left;
            Ground.Check(TurboRuntime.BeginEpoch() <= left, "clients destroyed by the next epoch");
            Ground.Same(0, TurboRuntime.NativeClients, "clients after it");
        }

        private static void Leak()
        {
            for (int i = 0; i < 4; i++)
            {
                TurboClient pumped = Ground.Pumped();
                GC.KeepAlive(pumped.SendAsync(Ground.Get("/never")).AsTask());
                pumped.Pump();
                TurboClient worker = new TurboClient();
                Ground.Wait(worker.GetStringAsync(Ground.Url + "/small"));
            }
        }

        private static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        internal static void NothingLeft()
        {
            Ground.Same(0, TurboRuntime.NativeClients, "native clients");
        }
    }
}
