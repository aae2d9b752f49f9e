using System;
using System.Linq.Expressions;

/// <summary>Must fail under full AOT: an expression that is compiled at run time.</summary>
internal static class CompiledExpression
{
    private static int Main()
    {
        ParameterExpression x = Expression.Parameter(typeof(int), "x");
        Func<int, int> twice = Expression.Lambda<Func<int, int>>(Expression.Add(x, x), x).Compile();
        Console.WriteLine("turbohttp-control: worked, " + twice(4));
        return 0;
    }
}
