using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("TurboHttp.Validation")]
