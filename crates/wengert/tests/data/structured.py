"""References for tests/structured.rs, computed with PyTorch and NumPy in f64: `python structured.py > structured.json`."""
import json, torch, numpy as np, torch.nn.functional as F
torch.set_default_dtype(torch.float64)
def inp(shape, seed):
    n=int(np.prod(shape)); return torch.tensor([np.sin(1+1.7*k+seed) for k in range(n)]).reshape(shape).requires_grad_()
out={}
def case(name, shapes, f):
    xs=[inp(s,i) for i,s in enumerate(shapes)]
    y=f(*xs)
    c=torch.tensor([np.cos(0.3+k) for k in range(y.numel())]).reshape(y.shape)
    gs=torch.autograd.grad((y*c).sum(), xs, allow_unused=True)
    gs=[torch.zeros_like(x) if g is None else g for g,x in zip(gs,xs)]
    out[name]={"shape":list(y.shape),"y":y.detach().flatten().tolist(),"grads":[g.flatten().tolist() for g in gs]}
case("logcumsumexp",[(2,5)],lambda x: torch.logcumsumexp(x*30,1))
case("cummax",[(2,7)],lambda x: torch.cummax(x,1)[0])
case("cummin",[(7,2)],lambda x: torch.cummin(x,0)[0])
case("sort descending",[(3,4)],lambda x: torch.sort(x,dim=0,descending=True,stable=True)[0])
case("topk smallest",[(2,6)],lambda x: torch.topk(x,3,dim=1,largest=False)[0])
case("quantile",[(6,2)],lambda x: torch.quantile(x,0.37,dim=0))
case("median",[(2,5)],lambda x: torch.median(x,dim=1)[0])
case("median of all",[(2,3)],lambda x: torch.quantile(x.flatten(),0.5))
case("diff",[(3,5)],lambda x: torch.diff(x,n=2,dim=1))
case("segment_sum",[(4,2)],lambda x: torch.zeros(3,2).index_add(0,torch.tensor([2,0,2,0]),x))
case("index_add",[(3,4),(3,3)],lambda x,s: x.index_add(1,torch.tensor([3,0,3]),s))
case("scatter",[(3,4),(2,2)],lambda x,s: x.scatter(1,torch.tensor([[3,0],[1,2]]),s))
def sa(x,y):
    m=torch.zeros(3,5,dtype=torch.bool); m[1:,::2]=True
    z=torch.zeros(3,5); z=z.clone(); 
    full=x.clone(); full[1:,::2]=y
    return full
case("slice_assign",[(3,5),(3,)],sa)
case("masked_select",[(2,3)],lambda x: torch.masked_select(x,torch.tensor([True,False,True])))
case("take",[(2,3)],lambda x: torch.take(x,torch.tensor([[5,0],[5,1]])))
case("take_along_axis",[(2,3)],lambda x: torch.take_along_dim(x,torch.tensor([[2,0],[1,1]]),1))
case("moveaxis",[(2,3,4)],lambda x: torch.movedim(x,(0,2),(2,0)))
case("chunk",[(7,2)],lambda x: torch.chunk(x,3,0)[2])
case("array_split",[(7,2)],lambda x: torch.tensor_split(x,3,0)[1])
case("meshgrid xy",[(2,),(3,)],lambda x,y: (lambda g: g[0]*g[0].sin()+g[1])(torch.meshgrid(x,y,indexing="xy")))
case("diagonal",[(3,2,4)],lambda x: torch.diagonal(x,offset=-1,dim1=2,dim2=0))
case("diagonal above",[(3,2,4)],lambda x: torch.diagonal(x,offset=2,dim1=0,dim2=2))
case("diag_embed",[(2,3)],lambda x: torch.diag_embed(x,offset=-2,dim1=2,dim2=0))
for k in (1,2,3): case("rot90 %d"%k,[(2,3)],lambda x: torch.rot90(x,k,(0,1)))
case("hstack",[(2,3),(2,1)],lambda x,y: torch.hstack([x,y]))
case("vstack",[(3,),(2,3)],lambda x,y: torch.vstack([x,y]))
case("pad wrap",[(2,4)],lambda x: F.pad(x,(3,2),mode="circular"))
case("pad edge",[(2,4)],lambda x: F.pad(x,(3,2),mode="replicate"))
case("pad reflect",[(2,4)],lambda x: F.pad(x,(3,2),mode="reflect"))
case("tensordot",[(2,3,4),(4,2,5)],lambda x,y: torch.tensordot(x,y,dims=([0,2],[1,0])))
case("multi_dot",[(4,),(4,2),(2,5),(5,3)],lambda a,b,c,d: torch.linalg.multi_dot([a,b,c,d]))
case("addmm",[(3,),(2,4),(4,3)],lambda c,a,b: torch.addmm(c,a,b,beta=0.5,alpha=-2))
case("quad_form",[(2,3),(3,3)],lambda x,a: torch.einsum("bi,ij,bj->b",x,a,x))
case("cross",[(2,3),(4,1,3)],lambda a,b: torch.linalg.cross(a.expand(4,2,3),b.expand(4,2,3)))
case("svdvals",[(3,2)],lambda a: torch.linalg.svdvals(a))
case("avg_pool1d",[(2,1,7)],lambda x: F.avg_pool1d(x,3,2,1,count_include_pad=False))
case("adaptive_avg_pool1d",[(1,2,5)],lambda x: F.adaptive_avg_pool1d(x,3))
case("adaptive_avg_pool2d",[(1,2,5,4)],lambda x: F.adaptive_avg_pool2d(x,(3,7)))
case("interpolate nearest",[(1,1,3,5)],lambda x: F.interpolate(x,(7,2),mode="nearest"))
case("interpolate bilinear",[(1,1,3,5)],lambda x: F.interpolate(x,(4,3),mode="bilinear",align_corners=False))
case("interpolate aligned",[(1,1,3,5)],lambda x: F.interpolate(x,(4,1),mode="bilinear",align_corners=True))
case("interpolate linear",[(1,2,3)],lambda x: F.interpolate(x,8,mode="linear",align_corners=False))
case("pixel_shuffle",[(1,8,2,1)],lambda x: F.pixel_shuffle(x,2))
case("unfold",[(1,2,4,5)],lambda x: F.unfold(x,(2,3),dilation=(2,1),padding=(1,0),stride=(1,2)))
case("fold",[(1,6,8)],lambda x: F.fold(x,(4,5),(2,3),dilation=(2,1),padding=(1,0),stride=(1,2)))
case("instance_norm",[(2,3,4),(3,),(3,)],lambda x,w,b: F.instance_norm(x,weight=w,bias=b,eps=1e-5))
case("rnn_cell",[(2,3),(2,4),(4,3),(4,4),(4,),(4,)],torch.rnn_tanh_cell)
def mha(q,k,v,wq,wk,wv,wo,bq,bo,mask):
    L,N,E=3,2,4
    y,_=F.multi_head_attention_forward(q.transpose(0,1),k.transpose(0,1),v.transpose(0,1),E,2,None,torch.cat([bq,torch.zeros(8)]),None,None,False,0.0,wo,bo,use_separate_proj_weight=True,q_proj_weight=wq,k_proj_weight=wk,v_proj_weight=wv,attn_mask=mask.repeat_interleave(2,0),need_weights=False)
    return y.transpose(0,1)
case("multi_head_attention",[(2,3,4),(2,5,3),(2,5,6),(4,4),(4,3),(4,6),(4,4),(4,),(4,),(2,3,5)],mha)
def rope(x):
    z=torch.view_as_complex(x.reshape(2,3,2,2).contiguous())
    p=torch.arange(3.)+5; th=100.0**(-torch.arange(2.)/2)
    return torch.view_as_real(z*torch.polar(torch.ones(3,2),p[:,None]*th)).reshape(2,3,4)
case("rope",[(2,3,4)],rope)
def conv(mode):
    def f(x,y):
        n,k=x.numel(),y.numel()
        full=F.conv1d(x.reshape(1,1,-1),y.flip(0).reshape(1,1,-1),padding=k-1).flatten()
        ref=np.convolve(x.detach().numpy(),y.detach().numpy(),mode)
        i=[j for j in range(len(full)-len(ref)+1) if np.allclose(full[j:j+len(ref)].detach().numpy(),ref)][0]
        return full[i:i+len(ref)]
    return f
for m in ("full","same","valid"):
    case("convolve "+m,[(6,),(4,)],conv(m)); 
case("convolve same odd",[(3,),(7,)],conv("same"))
case("convolve same even",[(4,),(6,)],conv("same"))
import sys; sys.stdout.write("{\n" + ",\n".join(json.dumps(k) + ": " + json.dumps(v) for k, v in out.items()) + "\n}\n")
