// See UnityEngine.cs.
using System;
using System.Runtime.CompilerServices;

namespace Cysharp.Threading.Tasks
{
    public enum UniTaskStatus
    {
        Pending,
        Succeeded,
        Faulted,
        Canceled
    }

    public interface IUniTaskSource
    {
        UniTaskStatus GetStatus(short token);
        void OnCompleted(Action<object> continuation, object state, short token);
        void GetResult(short token);
        UniTaskStatus UnsafeGetStatus();
    }

    public interface IUniTaskSource<out T> : IUniTaskSource
    {
        new T GetResult(short token);
    }

    public readonly struct UniTask<T>
    {
        private readonly IUniTaskSource<T> source;
        private readonly short token;

        public UniTask(IUniTaskSource<T> source, short token)
        {
            this.source = source;
            this.token = token;
        }

        public Awaiter GetAwaiter()
        {
            return new Awaiter(source, token);
        }

        public readonly struct Awaiter : ICriticalNotifyCompletion
        {
            private static readonly Action<object> Invoke = action => ((Action)action)();

            private readonly IUniTaskSource<T> source;
            private readonly short token;

            internal Awaiter(IUniTaskSource<T> source, short token)
            {
                this.source = source;
                this.token = token;
            }

            public bool IsCompleted { get { return source.GetStatus(token) != UniTaskStatus.Pending; } }
            public T GetResult() { return source.GetResult(token); }
            public void OnCompleted(Action action) { source.OnCompleted(Invoke, action, token); }
            public void UnsafeOnCompleted(Action action) { source.OnCompleted(Invoke, action, token); }
        }
    }
}
