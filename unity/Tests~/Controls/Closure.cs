using System;
using System.Runtime.InteropServices;

/// <summary>Must fail under full AOT: a lambda with a captured variable that goes to native code.</summary>
internal static class Closure
{
    private delegate int Compare(IntPtr left, IntPtr right);

    [DllImport("libc", EntryPoint = "qsort", CallingConvention = CallingConvention.Cdecl)]
    private static extern void Sort(int[] items, IntPtr count, IntPtr size, Compare compare);

    private static int Main()
    {
        int[] items = { 3, 1, 2 };
        int calls = 0;
        Sort(items, new IntPtr(items.Length), new IntPtr(4), (left, right) =>
        {
            calls++;
            return Marshal.ReadInt32(left).CompareTo(Marshal.ReadInt32(right));
        });
        Console.WriteLine("turbohttp-control: worked, " + items[0] + " after " + calls);
        return 0;
    }
}
