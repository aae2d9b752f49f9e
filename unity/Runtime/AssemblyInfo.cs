using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("TurboHttp.UniTask")]
[assembly: InternalsVisibleTo("TurboHttp.Awaitable")]
[assembly: InternalsVisibleTo("TurboHttp.Tests")]
