using System;
using System.Reflection.Emit;

/// <summary>Must fail under full AOT: code that is emitted at run time.</summary>
internal static class EmittedMethod
{
    private static int Main()
    {
        DynamicMethod method = new DynamicMethod("Seven", typeof(int), Type.EmptyTypes);
        ILGenerator code = method.GetILGenerator();
        code.Emit(OpCodes.Ldc_I4_7);
        code.Emit(OpCodes.Ret);
        Func<int> seven = (Func<int>)method.CreateDelegate(typeof(Func<int>));
        Console.WriteLine("turbohttp-control: worked, " + seven());
        return 0;
    }
}
