import runs
def test_x(folder):
    import time
    for i in range(3):
        t=time.time(); runs.train(folder/f"a{i}", *runs.SMOKE); print(time.time()-t)
    t=time.time(); print(runs.command("check","sigma=-1",cwd=folder)); print(time.time()-t)
    print(runs.command("train",*runs.SMOKE,"sigm=-1",cwd=folder)); print(time.time()-t)
