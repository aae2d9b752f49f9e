using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("TurboHttp.Unity")]
[assembly: InternalsVisibleTo("TurboHttp.UniTask")]
[assembly: InternalsVisibleTo("TurboHttp.Awaitable")]
[assembly: InternalsVisibleTo("TurboHttp.Tests")]
